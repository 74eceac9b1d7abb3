//! The text format that every scraper reads. The library writes OpenMetrics, whose counters are named
//! in another way and which few tools take without being asked for it.

use std::fmt::Write as _;

/// Turns OpenMetrics text into the text format 0.0.4 of Prometheus.
pub(super) fn classic(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut lines = open.lines().peekable();
    while let Some(line) = lines.next() {
        // HELP comes before TYPE; a family without series says nothing.
        let Some((name, help)) = head(line, "# HELP ") else {
            if !line.starts_with('#') {
                text.push_str(line);
                text.push('\n');
            }
            continue;
        };
        let Some((_, kind)) = lines.peek().and_then(|line| head(line, "# TYPE ")) else { continue };
        lines.next();
        while lines.peek().is_some_and(|line| line.starts_with("# UNIT ")) {
            lines.next();
        }
        if lines.peek().is_none_or(|line| line.starts_with('#')) {
            continue;
        }
        let (suffix, kind) = match kind {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            kind => ("", kind),
        };
        writeln!(text, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}").ok();
    }
    text
}

fn head<'a>(line: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    line.strip_prefix(mark)?.split_once(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_they_are_scraped_and_empty_families_are_left_out() {
        let open = "# HELP a_b Things done.\n# TYPE a_b counter\na_b_total{c=\"d e\"} 1\n\
                    # HELP none Nothing.\n# TYPE none gauge\n\
                    # HELP build What it is.\n# TYPE build info\nbuild_info{v=\"1\"} 1\n\
                    # HELP g A gauge.\n# TYPE g gauge\n# UNIT g seconds\ng 2.5\n# EOF\n";
        assert_eq!(
            classic(open),
            "# HELP a_b_total Things done.\n# TYPE a_b_total counter\na_b_total{c=\"d e\"} 1\n\
             # HELP build_info What it is.\n# TYPE build_info gauge\nbuild_info{v=\"1\"} 1\n\
             # HELP g A gauge.\n# TYPE g gauge\ng 2.5\n"
        );
    }
}

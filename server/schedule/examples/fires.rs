//! Says when cron expressions fire, for comparing with other programs: see `tests/cron` at the root of
//! the repository.
//!
//! Reads lines `{"expression": …, "zone": …, "after": …, "count": …}` from standard input and writes
//! for each a line `{"fires": [instants in UTC]}` or `{"problem": text}`. The first line written is
//! `{"tzdata": version}`.

use std::io::{self, BufRead, Write};

use bellringer_schedule::{Plan, Spec, Trigger, tzdata_version};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Question {
    expression: String,
    zone: String,
    /// Fires at this instant are not asked for.
    after: Timestamp,
    count: usize,
}

fn main() -> io::Result<()> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    writeln!(output, "{}", json!({ "tzdata": tzdata_version() }))?;
    for line in io::stdin().lock().lines() {
        let question: Question = serde_json::from_str(&line?)?;
        writeln!(output, "{}", answer(question))?;
    }
    output.flush()
}

fn answer(question: Question) -> Value {
    let spec = Spec { zone: question.zone, ..Spec::new([Trigger::cron(question.expression)]) };
    match Plan::compile(&spec, "") {
        Ok(plan) => {
            let fires = plan.fires(question.after).take(question.count);
            json!({ "fires": fires.map(|fire| fire.nominal.to_string()).collect::<Vec<_>>() })
        }
        Err(problems) => json!({ "problem": problems[0].to_string() }),
    }
}

//! Process groups: a command and everything that it starts end together.

use std::{
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::process::{Pid, Signal, kill_process_group};

/// Reads the process groups that live, and kills them when its input ends: that is, when `bellctl`
/// has gone, even if it was killed itself. In a group of its own, so that Ctrl-C does not reach it.
const GUARD: &str = r#"
trap '' INT TERM HUP QUIT
groups=" "
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"#;

/// Sees to it that no command outlives `bellctl`.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    shared: Arc<Mutex<GuardProcess>>,
}

#[derive(Debug)]
struct GuardProcess {
    /// `None` once it is closed.
    stdin: Option<ChildStdin>,
    child: Child,
}

impl Guard {
    /// Starts the process that watches over the groups.
    pub(crate) fn start() -> io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", GUARD])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = child.stdin.take();
        Ok(Self { shared: Arc::new(Mutex::new(GuardProcess { stdin, child })) })
    }

    fn tell(&self, sign: char, group: Pid) {
        let mut process = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        // A line is shorter than what a pipe takes at once. If the guard is gone, `Group` still
        // kills on drop.
        if let Some(stdin) = &mut process.stdin {
            let _ = stdin.write_all(format!("{sign} {}\n", group.as_raw_nonzero()).as_bytes());
        }
    }
}

impl Drop for GuardProcess {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// The process group of one command; killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    pid: Pid,
    guard: Guard,
}

impl Group {
    /// The group that is led by the process with id `leader`.
    pub(crate) fn new(leader: u32, guard: &Guard) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(leader).ok()?)?;
        guard.tell('+', pid);
        Some(Self { pid, guard: guard.clone() })
    }

    /// Asks all processes of the group to end.
    pub(crate) fn terminate(&self) {
        self.send(Signal::TERM);
    }

    /// Ends all processes of the group.
    pub(crate) fn kill(&self) {
        self.send(Signal::KILL);
    }

    /// A group that has no processes left is no error.
    fn send(&self, signal: Signal) {
        let _ = kill_process_group(self.pid, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        self.guard.tell('-', self.pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn sleeper() -> (Child, Pid) {
        let child = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        (child, pid)
    }

    #[test]
    fn commands_end_when_bellctl_has_gone() {
        let guard = Guard::start().unwrap();
        let (mut first, first_id) = sleeper();
        let (mut second, second_id) = sleeper();
        let (mut ended, ended_id) = sleeper();
        for id in [first_id, ended_id, second_id] {
            guard.tell('+', id);
        }
        guard.tell('-', ended_id);

        drop(guard);

        assert_eq!(first.wait().unwrap().signal(), Some(9));
        assert_eq!(second.wait().unwrap().signal(), Some(9));
        assert!(ended.try_wait().unwrap().is_none());
        ended.kill().unwrap();
        ended.wait().unwrap();
    }

    #[test]
    fn a_group_that_is_dropped_is_killed() {
        let guard = Guard::start().unwrap();
        let (mut child, _) = sleeper();
        drop(Group::new(child.id(), &guard));
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
}

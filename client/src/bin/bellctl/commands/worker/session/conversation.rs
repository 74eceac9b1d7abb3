//! One connection of a session, from its hello to its end.

use std::time::Duration;

use bellringer_api::v1::{
    Assignment, Beat, Credit, Goodbye, Report, Welcome, WorkRequest, WorkResponse,
    work_request::Message, work_response::Message as Answer,
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::{FIRST_PAUSE, Phase, Session};

/// Longest time for the server to say welcome, or to take a message.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often progress and repeated reports are sent.
const TICK: Duration = Duration::from_millis(250);

/// Longest time for the server to end the stream after goodbye, or to say why it has ended it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Messages under way to the server.
const BUFFER: usize = 16;

/// Most reports in one message.
const REPORTS: usize = 1000;

/// Most progress in one message: with a checkpoint of 64 KiB each, 2 MiB.
const PROGRESS: usize = 32;

/// How a conversation ended.
#[derive(Debug)]
pub(super) enum End {
    /// The worker has left, and everything is reported.
    Goodbye,
    /// The session goes on, over another connection.
    Broken,
    /// So it does, but the server could not read something that it was sent.
    Refused(Status),
}

/// The two directions of a connection.
struct Stream {
    outbound: mpsc::Sender<WorkRequest>,
    inbound: Streaming<WorkResponse>,
    /// When the server last heard of us.
    spoke: Instant,
    heartbeat: Duration,
}

impl Stream {
    async fn send(&mut self, message: Message) -> Result<(), Status> {
        let request = WorkRequest { message: Some(message) };
        match timeout(PATIENCE, self.outbound.send(request)).await {
            Ok(Ok(())) => self.spoke = Instant::now(),
            Ok(Err(_)) => return Err(self.last_words().await),
            Err(_) => return Err(gone()),
        }
        Ok(())
    }

    /// Why the server hears nothing more.
    async fn last_words(&mut self) -> Status {
        let last = async {
            loop {
                match self.inbound.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return gone(),
                    Err(status) => return status,
                }
            }
        };
        timeout(LAST_WORDS, last).await.unwrap_or_else(|_| gone())
    }
}

fn gone() -> Status {
    Status::unavailable("the connection has ended")
}

impl Session<'_> {
    /// Connects and works until the connection ends or there is nothing left to do.
    pub(super) async fn converse(
        &mut self,
        begun: &mut bool,
        is_told: &mut bool,
        pause: &mut Duration,
    ) -> Result<End, Status> {
        let Some(stream) = self.connect_unless_over().await? else {
            return Ok(End::Goodbye);
        };
        if !*begun || *is_told {
            self.app.out.remark(&self.greeting(*begun));
        }
        (*begun, *is_told, *pause) = (true, false, FIRST_PAUSE);
        match self.talk(stream).await {
            Err(status) if status.code() == Code::InvalidArgument => Ok(End::Refused(status)),
            ended => ended,
        }
    }

    async fn talk(&mut self, mut stream: Stream) -> Result<End, Status> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.heed_phase();
            self.tell(&mut stream).await?;
            let is_working = *self.phase.borrow() == Phase::Working;
            let is_done = !is_working && self.ledger.is_empty() && self.jobs.is_empty();
            if is_done || self.is_over() {
                return self.leave(stream).await;
            }
            tokio::select! {
                answer = stream.inbound.message() => match answer?.and_then(|a| a.message) {
                    None => return Ok(End::Broken),
                    // Another server takes the session up from here.
                    Some(Answer::Drain(_)) => return Ok(End::Broken),
                    Some(answer) => self.hear(answer, is_working),
                },
                Some(done) = self.jobs.join_next() => {
                    self.note(done);
                    self.room = self.room.saturating_add(1);
                }
                _ = ticks.tick() => {}
                Ok(()) = self.phase.changed() => {}
            }
        }
    }

    /// `None` if the worker has nothing to do any more before the server has answered.
    async fn connect_unless_over(&mut self) -> Result<Option<Stream>, Status> {
        let mut phase = self.phase.clone();
        let may_leave = self.ledger.is_empty() && self.jobs.is_empty();
        let too_late = self.too_late();
        tokio::select! {
            stream = self.connect() => stream.map(Some),
            Ok(_) = phase.wait_for(|phase| *phase > Phase::Working), if may_leave => Ok(None),
            () = too_late => Err(Status::unavailable("the server does not answer")),
        }
    }

    /// Returns when something else has to be done than to wait for a connection: to stop what runs,
    /// or to leave.
    fn too_late(&self) -> impl Future<Output = ()> + use<> {
        let (farewell, mut phase) = (self.farewell(), self.phase.clone());
        async move {
            match farewell {
                Some(end) => sleep_until(end).await,
                None if phase.wait_for(|phase| *phase == Phase::Stopping).await.is_ok() => {}
                None => std::future::pending().await,
            }
        }
    }

    async fn connect(&mut self) -> Result<Stream, Status> {
        let busy = u32::try_from(self.jobs.len()).unwrap_or(u32::MAX);
        let mut hello = self.hello.clone();
        self.room = self.concurrency.saturating_sub(busy);
        hello.credit = self.take_room();
        if !hello.session_token.is_empty() {
            hello.running = self.ledger.refs();
        }
        let (outbound, requests) = mpsc::channel(BUFFER);
        let hello = WorkRequest { message: Some(Message::Hello(hello)) };
        outbound.try_send(hello).map_err(|_| Status::internal("the buffer is too small"))?;
        let mut workers = self.app.workers();
        let call = workers.work(ReceiverStream::new(requests));
        let silent = |_| Status::unavailable("the server does not answer");
        let mut inbound = timeout(PATIENCE, call).await.map_err(silent)??.into_inner();
        let first = timeout(PATIENCE, inbound.message()).await.map_err(silent)??;
        let Some(Answer::Welcome(welcome)) = first.and_then(|first| first.message) else {
            return Err(Status::unavailable("the server did not say welcome"));
        };
        let heartbeat = self.welcomed(welcome);
        Ok(Stream { outbound, inbound, spoke: Instant::now(), heartbeat })
    }

    /// Takes the session up; answers with the time between heartbeats.
    fn welcomed(&mut self, welcome: Welcome) -> Duration {
        let heartbeat = welcome.heartbeat_interval.as_ref().map(crate::time::length);
        if !welcome.resumed {
            self.ledger.lose_all();
        }
        self.ledger.lose(&welcome.lost);
        self.ledger.tell_anew();
        self.hello.session_token = welcome.session_token;
        self.runner.activity.touch();
        heartbeat.filter(|length| !length.is_zero()).unwrap_or(Duration::from_secs(10))
    }

    fn greeting(&self, begun: bool) -> String {
        let list = |names: &[String], all: &str| {
            if names.is_empty() { all.to_owned() } else { names.join(", ") }
        };
        let (server, hello) = (&self.app.server, &self.hello);
        if begun {
            return format!("connected to {server} again");
        }
        format!(
            "connected to {server} as {}; runs {} of queue {}",
            hello.worker_name,
            list(&hello.kinds, "every kind"),
            list(&hello.queues, "default"),
        )
    }

    fn hear(&mut self, answer: Answer, is_working: bool) {
        match answer {
            Answer::Assign(assign) => {
                for task in assign.assignments {
                    if is_working { self.start(task) } else { self.ledger.refuse(&task) }
                }
            }
            Answer::Acks(acks) => acks.acks.iter().for_each(|ack| self.ledger.acknowledged(ack)),
            Answer::Stop(stop) => self.ledger.stop(&stop),
            Answer::Welcome(_) | Answer::Drain(_) => {}
        }
    }

    fn start(&mut self, task: Assignment) {
        let (slot, stopped) = self.ledger.start(&task);
        let runner = self.runner.clone();
        self.jobs.spawn(async move {
            let stop = async {
                match stopped.await {
                    Ok(grace) => grace,
                    // Nobody can stop it any more.
                    Err(_) => std::future::pending().await,
                }
            };
            let verdict = runner.run(&task, &slot, stop).await;
            ((task.task_id, task.attempt), verdict)
        });
    }

    /// Tells what there is to tell: all progress before ends, so that a last checkpoint counts.
    async fn tell(&mut self, stream: &mut Stream) -> Result<(), Status> {
        for progress in self.ledger.take_progress().chunks(PROGRESS) {
            stream.send(Message::Beat(Beat { progress: progress.to_vec() })).await?;
        }
        loop {
            let reports = self.ledger.take_reports(REPORTS);
            if reports.is_empty() {
                break;
            }
            stream.send(Message::Report(Report { reports, grant: 0 })).await?;
        }
        let grant = self.take_room();
        if grant > 0 {
            stream.send(Message::Credit(Credit { grant })).await?;
        }
        if stream.spoke.elapsed() >= stream.heartbeat.mul_f64(0.8) {
            stream.send(Message::Beat(Beat::default())).await?;
        }
        Ok(())
    }

    /// Says goodbye and lets the server end the stream.
    async fn leave(&mut self, mut stream: Stream) -> Result<End, Status> {
        stream.send(Message::Goodbye(Goodbye {})).await?;
        drop(stream.outbound);
        let ended = async {
            while let Ok(Some(answer)) = stream.inbound.message().await {
                if let Some(Answer::Acks(acks)) = answer.message {
                    acks.acks.iter().for_each(|ack| self.ledger.acknowledged(ack));
                }
            }
        };
        // What is still held is released by the server, at the latest when the leases run out.
        let _ = timeout(LAST_WORDS, ended).await;
        Ok(End::Goodbye)
    }
}

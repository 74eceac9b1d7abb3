//! What the descriptors say about each method, and how long each may take.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use bellringer_api::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::task_service::WAIT;
use super::worker_service::LEASE_WAIT;

/// How a method talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One request, one answer, in the usual time.
    Unary,
    /// One request, one answer, which may be waited for this long: the caller wanted to wait, or there
    /// is much to do.
    Long(Duration),
    /// A stream.
    Stream,
}

/// Time beside the wait itself.
const MARGIN: Duration = Duration::from_secs(10);
/// For methods that do as much as there is to do.
const BULK: Duration = Duration::from_secs(600);

static SHAPES: LazyLock<HashMap<String, Shape>> = LazyLock::new(|| {
    let sets = [
        FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let sets = sets.iter().map(|set| FileDescriptorSet::decode(*set));
    let files = sets.flat_map(|set| set.expect("a build script wrote it").file);
    files
        .flat_map(|file| {
            let package = file.package().to_owned();
            file.service.into_iter().flat_map(move |service| {
                let service_name = format!("/{package}.{}/", service.name());
                service.method.into_iter().map(move |method| {
                    let path = format!("{service_name}{}", method.name());
                    let shape = if method.client_streaming() || method.server_streaming() {
                        Shape::Stream
                    } else {
                        long(&path).map_or(Shape::Unary, Shape::Long)
                    };
                    (path, shape)
                })
            })
        })
        .collect()
});

fn long(path: &str) -> Option<Duration> {
    match path {
        "/bellringer.v1.TaskService/Wait" => Some(WAIT.0.saturating_add(MARGIN)),
        "/bellringer.v1.WorkerService/Lease" => Some(LEASE_WAIT.saturating_add(MARGIN)),
        "/bellringer.v1.QueueService/Purge"
        | "/bellringer.v1.ScheduleService/Backfill"
        | "/bellringer.v1.AdminService/AdvanceClock" => Some(BULK),
        _ => None,
    }
}

/// The shape of the method at a path. What there is not is unary: the answer says that there is none.
pub(super) fn shape(path: &str) -> Shape {
    SHAPES.get(path).copied().unwrap_or(Shape::Unary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_shape_and_the_long_ones_are_there() {
        assert_eq!(shape("/bellringer.v1.TaskService/Submit"), Shape::Unary);
        assert_eq!(shape("/bellringer.v1.TaskService/Watch"), Shape::Stream);
        assert_eq!(shape("/bellringer.v1.WorkerService/Work"), Shape::Stream);
        assert_eq!(shape("/grpc.health.v1.Health/Watch"), Shape::Stream);
        assert_eq!(
            shape("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
            Shape::Stream
        );
        let long = SHAPES.values().filter(|shape| matches!(shape, Shape::Long(_))).count();
        assert_eq!(long, 5, "a name of a long method is not in the descriptors");
    }
}

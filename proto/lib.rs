//! Bellringer's gRPC interface: generated types, clients and servers, and the descriptor set
//! for reflection. The comments of the `.proto` files are the documentation.

#![forbid(unsafe_code)]

#[allow(missing_docs, unused_qualifications, clippy::doc_markdown, reason = "generated code")]
#[allow(clippy::allow_attributes_without_reason, reason = "generated code")]
pub mod v1 {
    tonic::include_proto!("bellringer.v1");
}

/// The encoded `FileDescriptorSet` of `bellringer.v1` and everything it imports.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("descriptor");

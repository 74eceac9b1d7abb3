//! Compiles `proto/` with protox, so that building needs no `protoc`.

use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

const ROOT: &str = "proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    let files = proto_files(&Path::new(ROOT).join("bellringer/v1"))?;

    // With comments: they become the documentation of the generated types.
    let mut documented = protox::Compiler::new([ROOT])?;
    documented.include_imports(true).include_source_info(true).open_files(&files)?;

    // Without them: reflection would otherwise send nine times as many bytes.
    let mut served = protox::Compiler::new([ROOT])?;
    served.include_imports(true).include_source_info(false).open_files(&files)?;
    let descriptor = PathBuf::from(env::var("OUT_DIR")?).join("descriptor.bin");
    fs::write(descriptor, served.encode_file_descriptor_set())?;

    tonic_prost_build::configure()
        .bytes(".bellringer.v1")
        .compile_fds(documented.file_descriptor_set())?;
    Ok(())
}

fn proto_files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path.strip_prefix(ROOT)?.to_path_buf());
        }
    }
    files.sort();
    Ok(files)
}

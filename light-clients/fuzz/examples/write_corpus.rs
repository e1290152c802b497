//! Writes the seeds of every body into the corpus; what else is there stays.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    for target in catenary_fuzz::TARGETS {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:02}")), seed)?;
        }
    }
    Ok(())
}

//! Turns the wasm that cargo has built into the module that the Worker's entry imports.
//!
//! `build-helper WASM FOLDER` writes `index.js`, `index_bg.wasm` and the JavaScript of the crates
//! (`snippets/`) into the folder. `scripts/build.sh` calls it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use wasm_bindgen_cli_support::Bindgen;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (wasm, folder, rest) = (arguments.next(), arguments.next(), arguments.next());
    let (Some(wasm), Some(folder), None) = (wasm, folder, rest) else {
        eprintln!("usage: build-helper WASM FOLDER");
        return ExitCode::from(2);
    };
    match bind(&wasm, &folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("build-helper: {} could not be bound: {error:#}", wasm.display());
            ExitCode::FAILURE
        }
    }
}

fn bind(wasm: &Path, folder: &Path) -> Outcome {
    Bindgen::new()
        .input_path(wasm)
        .out_name("index")
        .typescript(false)
        // The names are a twelfth of the file. A panic's log line gives the place without them.
        .remove_name_section(true)
        // Adds the function by which entry.mjs replaces the instance after a panic.
        .reset_state_function(true)
        .module(true)?
        .generate(folder)?;
    adapt(&folder.join("index.js"))
}

/// wasm-bindgen writes a source phase import. The runtime and its bundler support only the plain
/// import, which gives the same `WebAssembly.Module` there.
const SOURCE_PHASE: &str = "import source wasmModule from";

/// By this text, entry.mjs recognizes an exception from an instance that has been replaced.
const STALE: &str = "'Cannot invoke closure from previous WASM instance'";

fn adapt(index: &Path) -> Outcome {
    let text = fs::read_to_string(index)?;
    if text.matches(SOURCE_PHASE).count() != 1 || !text.contains(STALE) {
        let index = index.display();
        return Err(format!("{index} does not have once `{SOURCE_PHASE}`, and {STALE}").into());
    }
    fs::write(index, text.replacen(SOURCE_PHASE, "import wasmModule from", 1))?;
    Ok(())
}

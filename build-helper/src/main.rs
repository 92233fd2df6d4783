//! Makes the module that the Worker's entry imports out of the wasm that cargo has built.
//!
//! `build-helper WASM FOLDER` writes `index.js`, `index_bg.wasm` and the JavaScript that the crates
//! bring along (`snippets/`) into the folder. `scripts/build.sh` calls it.

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
        // They are a twelfth of the file. The log of a panic says where it was without them.
        .remove_name_section(true)
        // After a panic, entry.mjs replaces the instance by the function that this adds.
        .reset_state_function(true)
        .module(true)?
        .generate(folder)?;
    adapt(&folder.join("index.js"))
}

/// wasm-bindgen writes a source phase import. The runtime and its bundler know only the plain
/// import, which gives the same `WebAssembly.Module` there.
const SOURCE_PHASE: &str = "import source wasmModule from";

/// entry.mjs knows by this text that an exception comes from an instance that is gone.
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

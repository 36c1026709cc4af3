//! What a test needs beside Rust, and what happens where it is not there: a loud skip, or a failure where everything is required.

use std::path::{Path, PathBuf};

/// Where `tests/services` put this, or nothing, which the test's output tells. Fails where `CAMPANILE_REQUIRE_SERVICES` is set.
pub fn found(name: &str) -> Option<PathBuf> {
    let place = match name {
        "node-clients" => target().join("services/node/node_modules"),
        "python-clients" => target().join("services/python/bin/python"),
        "corpus" => target().join("services/corpus/installed"),
        "chromium" => PathBuf::from("/usr/bin/chromium"),
        other => panic!("no service is called {other}"),
    };
    // A half-made install is none.
    let marks = if name == "node-clients" {
        vec![place.clone(), target().join("services/node/installed")]
    } else {
        vec![place.clone()]
    };
    if marks.iter().all(|mark| mark.exists()) {
        return Some(if name == "corpus" { place.with_file_name("") } else { place });
    }
    assert!(
        std::env::var_os("CAMPANILE_REQUIRE_SERVICES").is_none(),
        "{name} is required and missing: run tests/services {name}"
    );
    eprintln!("SKIPPED {}: run tests/services {name}", std::thread::current().name().unwrap_or("a test"));
    None
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target")
}

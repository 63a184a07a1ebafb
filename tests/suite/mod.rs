//! The fixtures of `fixtures/`, each with what comes of it, the same on every engine. `docs/fixtures.md` is the
//! table of them.

mod engine;
mod expected;
mod files;
mod jobs;
mod order;
mod page;
mod servers;
mod trace;

use engine::Engine;
use expected::Fixture;

/// A test for each fixture and engine, and the list of all fixtures.
macro_rules! fixtures {
    ($($room:ident::$name:ident),* $(,)?) => {
        mod kind {
            $(#[test] fn $name() { super::check(super::$room::$name(), super::Engine::Kind); })*
        }

        mod embedded {
            $(#[test] fn $name() { super::check(super::$room::$name(), super::Engine::Embedded); })*
        }

        fn all() -> Vec<Fixture> {
            vec![$($room::$name()),*]
        }
    };
}

fixtures! {
    order::hello, order::failing, order::decisions, order::cancel, order::held, order::dummies, order::slots, order::children,
    order::broken,
    jobs::scripts, jobs::services, jobs::ports, jobs::memory, jobs::limits, jobs::pull,
    jobs::policies, jobs::hooks, jobs::junit, files::submodules,
    files::sources, files::large, files::uncommitted, files::artifacts, files::keeping,
    files::caches,
}

/// Runs a fixture on an engine and fails with everything that did not come as expected. Ends, with the reason,
/// where the machine lacks something.
#[expect(clippy::print_stderr, reason = "a test that cannot run says why")]
fn check(fixture: Fixture, engine: Engine) {
    let missing = engine.missing().map(str::to_owned).or_else(|| (fixture.needs)().err());
    if let Some(reason) = missing {
        eprintln!("skipped: {reason}");
        return;
    }
    let project = crate::support::Project::fixture(fixture.name);
    (fixture.prepare)(&project);
    for expected in fixture.runs {
        let (expected, _) = expected.on(engine);
        (expected.change)(&project);
        let run = engine.run(&project, &expected.arguments);
        let missed = expected.missed(&run, &project);
        let missed = missed.join("\n- ");
        assert!(missed.is_empty(), "`{}` on {engine:?}:\n- {missed}\n\n{}", fixture.name, run.told());
    }
}

//! Reading projects of every schema there has been.
//!
//! Fields are only ever added, so that an older project is a newer one with fields left out; what a schema took for
//! granted is made explicit here. A project file of every schema is kept in `tests/data`, forever.

use std::sync::Arc;

use super::{Project, SCHEMA};

/// The project of a text of any schema up to [`SCHEMA`].
///
/// # Errors
/// A sentence for people: a newer schema, a damaged text, a value out of range.
pub(super) fn read(text: &str) -> Result<Project, String> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let unreadable = |error: serde_json::Error| {
        format!(
            "The project's state is damaged ({error}). It is kept as it is and saved again unchanged, until you edit \
             something here. Open a backup of the project to get it back."
        )
    };
    let Versioned { schema } = serde_json::from_str(text).map_err(unreadable)?;
    if schema > SCHEMA {
        return Err(format!(
            "This project was saved by a newer Tiller (schema {schema}; this one reads up to {SCHEMA}). Install the \
             newer version to open it. Until you edit something here, it is kept and saved again unchanged."
        ));
    }
    let mut project: Project = serde_json::from_str(text).map_err(unreadable)?;
    if schema < 2 {
        freeze_what_is_steered(&mut project);
    }
    project.schema = SCHEMA;
    project.check().map_err(|what| {
        format!(
            "The project's state has a value out of range ({what}). It is kept until you edit something here."
        )
    })?;
    Ok(project)
}

/// In schema 1 a take never changed once it was made. Automation that passes now must not change what was kept then.
fn freeze_what_is_steered(project: &mut Project) {
    for take in project.takes.iter_mut().filter(|take| !take.recipe.steering.is_empty()) {
        Arc::make_mut(take).frozen = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Anchor, Position};

    const SCHEMA_1: &str = include_str!("../../tests/data/schema-1.json");
    const SCHEMA_2: &str = include_str!("../../tests/data/schema-2.json");

    /// What both files hold: one song, saved by two Tillers.
    fn check(project: &Project) {
        assert_eq!((project.schema, project.prompt.as_str()), (SCHEMA, "größer ♪ 低音"));
        assert_eq!(project.slots[2].as_ref().unwrap().file.as_deref(), Some("/music/v.safetensors"));
        assert_eq!(project.slots[2].as_ref().unwrap().monitor, None, "nothing let go by itself then");
        assert_eq!(project.settings.position, Position::Beats(8.0));
        assert_eq!((project.settings.patience_seconds, project.settings.freeze), (12.5, false));
        let [steered, plain, wish] = &project.takes[..] else { panic!("three takes were saved") };
        let curve = &steered.recipe.steering[0].curve;
        assert_eq!([0, 9, 10, 19, 99].map(|frame| curve.at(frame)), [0.0, 0.0, 0.123, 1.23, 1.23]);
        assert_eq!(steered.recipe.steering[1].curve.at(50), -0.5);
        let rows = steered.codes.as_ref().unwrap().codes().rows();
        assert_eq!((rows.len(), rows[3][0], rows[3][99]), (4, 3_000 % 2_048, (99 * 17 + 3_000) % 2_048));
        assert_eq!((steered.made.as_ref().unwrap().sample_rate, steered.gain), (32_000, 0.5));
        assert!(steered.frozen, "what was made under the old rules does not change");
        assert_eq!((plain.place.anchor, plain.muted, plain.frozen), (Anchor::Seconds, true, false));
        assert_eq!(plain.codes.as_ref().unwrap().codes().frames(), 10);
        assert!(wish.codes.is_none());
    }

    #[test]
    fn projects_of_schema_1_are_read_as_they_were() {
        check(&read(SCHEMA_1).unwrap());
    }

    #[test]
    fn projects_of_schema_2_are_read_as_they_were() {
        let project = read(SCHEMA_2).unwrap();
        check(&project);
        let take = &project.takes[0];
        assert_eq!(take.wanted.as_ref().unwrap().seed, 8);
        assert_eq!(take.recipe.opening, None, "no take went on from another then");
        let [earlier, latest] = &take.history.earlier[..] else { panic!("two earlier versions were saved") };
        assert_eq!(latest.codes.codes().rows()[1][99], 1);
        assert_eq!((earlier.codes.codes().rows()[1][89], earlier.codes.codes().rows()[1][90]), (1, 2));
        assert_eq!(
            (earlier.recipe.steering[0].curve.at(89), earlier.recipe.steering[0].curve.at(90)),
            (1.0, 2.0)
        );
        assert!(take.history.later.is_empty());
    }

    #[test]
    fn a_project_read_is_written_and_read_as_the_same() {
        for text in [SCHEMA_1, SCHEMA_2] {
            let project = read(text).unwrap();
            assert_eq!(read(&serde_json::to_string(&project).unwrap()).unwrap(), project);
        }
    }
}

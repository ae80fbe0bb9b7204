//! A checkpoint from the hub, once its licence is accepted.

use std::io::{self, BufRead, IsTerminal, Write};

use tiller_models::hub::{Hub, Repository};
use tiller_models::import::check_configuration;

use super::{Checkpoint, Import};
use crate::{Fallible, Outcome};

/// Fetches the model `id`, unless it is in the cache.
pub fn fetch(arguments: &Import, id: &str) -> Fallible<Checkpoint> {
    let hub = Hub::from_env();
    let repository = hub.repository(id, &arguments.revision)?;
    accept_licence(arguments, &repository, &hub.page(&repository))?;
    // Before gigabytes are fetched for nothing.
    check_configuration(&hub.fetch_description(&repository)?)?;
    let bar = arguments.reporting.transfer(repository.bytes());
    let folder = hub.fetch_all(&repository, &mut |progress| {
        if bar.message() != progress.file {
            bar.set_message(progress.file.to_owned());
        }
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    let name = id.rsplit('/').next().unwrap_or(id).to_owned();
    let origin = format!("{id}@{}", repository.commit);
    Ok(Checkpoint { folder, name: Some(name), licence: repository.licence, origin: Some(origin) })
}

/// Shows the licence and asks for it to be accepted, unless that has been said.
fn accept_licence(arguments: &Import, repository: &Repository, page: &str) -> Outcome {
    let id = &repository.id;
    let terms = match &repository.licence {
        Some(licence) => format!("The weights of {id} are licensed as {licence} (see {page})."),
        None => format!("{page} states no licence of the weights of {id}."),
    };
    if arguments.accept_licence {
        if !arguments.reporting.quiet {
            eprintln!("{terms}");
        }
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(format!("{terms} If you accept that, say so with --accept-licence.").into());
    }
    eprint!("{terms}\nDo you accept that? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if ["y", "yes"].contains(&&*answer.trim().to_lowercase()) {
        return Ok(());
    }
    Err("the licence was not accepted, so nothing was fetched".into())
}

//! Going about among folders: where one is, and which folder or recording is chosen there.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::listing::{Count, Counted, Listing, Wanted};

/// A folder that is looked into, and what is selected in it.
pub struct Walker {
    wanted: Wanted,
    listing: Listing,
    selected: Option<usize>,
    problem: Option<String>,
}

impl Walker {
    /// Begins in a folder, or in the nearest one above it that can be read.
    pub fn at(start: &Path, wanted: Wanted) -> Self {
        let start = std::path::absolute(start).unwrap_or_else(|_| start.to_owned());
        let readable = start.ancestors().find_map(|folder| Listing::of(folder, wanted).ok());
        let mut walker = Self { wanted, listing: Listing::empty(&start), selected: None, problem: None };
        match readable {
            Some(listing) => walker.listing = listing,
            None => walker.go(&start),
        }
        walker
    }

    /// Goes to a folder; stays, and says why, if it cannot be read.
    pub fn go(&mut self, folder: &Path) {
        match Listing::of(folder, self.wanted) {
            Ok(listing) => (self.listing, self.selected, self.problem) = (listing, None, None),
            Err(message) => self.problem = Some(message),
        }
    }

    /// Goes into the selected folder, if there is one. Returns the recording that is selected instead, if it is one.
    pub fn enter(&mut self) -> Option<PathBuf> {
        let child = self.selected.and_then(|at| self.listing.children.get(at))?;
        let path = child.path.clone();
        if child.counted == Counted::Recording {
            return Some(path);
        }
        self.go(&path);
        None
    }

    /// Goes to the folder above, and selects the one it comes from.
    pub fn up(&mut self) {
        let from = self.listing.folder.clone();
        let Some(above) = from.parent() else { return };
        self.go(above);
        if self.problem.is_none() {
            self.selected = self.listing.children.iter().position(|child| child.path == from);
        }
    }

    /// Selects the folder `steps` after the selected one, at most the last or the first.
    pub fn step(&mut self, steps: isize) {
        let Some(last) = self.listing.children.len().checked_sub(1) else { return };
        let next = match self.selected {
            Some(at) => at.saturating_add_signed(steps).min(last),
            None => 0,
        };
        self.selected = Some(next);
    }

    /// Selects a folder by its place in the list.
    pub fn select(&mut self, at: usize) {
        self.selected = (at < self.listing.children.len()).then_some(at);
    }

    /// Selects the next folder whose name begins so, after the selected one and then from the first.
    pub fn jump(&mut self, beginning: &str) {
        let beginning = beginning.to_lowercase();
        let count = self.listing.children.len();
        let first = self.selected.map_or(0, |at| at + 1);
        let found = (first..first + count).map(|at| at % count);
        let begins = |&at: &usize| self.listing.children[at].name.to_lowercase().starts_with(&beginning);
        if let Some(at) = found.into_iter().find(begins) {
            self.selected = Some(at);
        }
    }

    /// Counts the recordings of one folder of those in sight that nobody has counted. Returns whether there may be more of
    /// them.
    pub fn count_one(&mut self, in_sight: Range<usize>) -> bool {
        let in_sight = in_sight.start..in_sight.end.min(self.listing.children.len());
        let folders = self.listing.children.get_mut(in_sight).unwrap_or_default();
        let next = folders.iter_mut().find(|child| child.counted == Counted::NotYet);
        next.map(super::listing::Child::count).is_some()
    }

    /// Where it is, and what is there.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The place of the selected folder in the list.
    pub fn selected(&self) -> Option<usize> {
        self.selected
    }

    /// Why it did not go where it was to go.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// What is chosen, the selected folder or else the one it is in, and what is known of its recordings.
    pub fn chosen(&self) -> (PathBuf, Counted) {
        match self.selected.and_then(|at| self.listing.children.get(at)) {
            Some(child) => (child.path.clone(), child.counted),
            None => (self.listing.folder.clone(), Counted::As(self.listing.count)),
        }
    }
}

/// Whether something is what is looked for, as far as is known.
pub fn may_be(wanted: Wanted, counted: Counted) -> bool {
    match (wanted, counted) {
        (Wanted::Recording, counted) => counted == Counted::Recording,
        (Wanted::Folder, Counted::NotYet) => true,
        (Wanted::Folder, Counted::As(Count { recordings, is_whole })) => recordings > 0 || !is_whole,
        (Wanted::Folder, Counted::Unreadable | Counted::Recording) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in ["piano/1.wav", "piano/2.wav", "pad/warm/3.wav", "rhodes/4.wav"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        root
    }

    fn selected(walker: &Walker) -> &str {
        walker.selected().map_or("", |at| &walker.listing().children[at].name)
    }

    #[test]
    fn one_walks_down_and_up_again() {
        let root = tree();
        let mut walker = Walker::at(root.path(), Wanted::Folder);
        assert_eq!(walker.chosen().0, root.path());
        walker.step(1);
        assert_eq!(selected(&walker), "pad");
        walker.step(-1);
        assert_eq!(selected(&walker), "pad");
        walker.enter();
        walker.step(9);
        assert_eq!(walker.chosen().0, root.path().join("pad/warm"));
        walker.enter();
        assert_eq!(walker.chosen().1, Counted::As(Count { recordings: 1, is_whole: true }));
        walker.enter();
        assert_eq!(walker.listing().folder, root.path().join("pad/warm"));
        walker.up();
        walker.up();
        assert_eq!((selected(&walker), &*walker.listing().folder), ("pad", root.path()));
        walker.step(9);
        assert_eq!(selected(&walker), "rhodes");
    }

    #[test]
    fn letters_go_round_among_the_names_that_begin_so() {
        let root = tree();
        let mut walker = Walker::at(root.path(), Wanted::Folder);
        let names: Vec<_> = ["P", "p", "p", "r", "x"]
            .map(|letter| {
                walker.jump(letter);
                selected(&walker).to_owned()
            })
            .into();
        assert_eq!(names, ["pad", "piano", "pad", "rhodes", "rhodes"]);
        let mut empty = Walker::at(&root.path().join("piano"), Wanted::Folder);
        empty.jump("p");
        empty.step(1);
        assert_eq!(empty.selected(), None);
    }

    #[test]
    fn recordings_are_counted_one_folder_at_a_time_and_in_sight_alone() {
        let root = tree();
        let mut walker = Walker::at(root.path(), Wanted::Folder);
        let counted = |walker: &Walker| {
            walker.listing().children.iter().filter(|child| child.counted != Counted::NotYet).count()
        };
        assert!(walker.count_one(1..9));
        assert_eq!(counted(&walker), 1);
        assert!(walker.count_one(1..9) && !walker.count_one(1..9));
        assert_eq!((counted(&walker), walker.listing().children[0].counted), (2, Counted::NotYet));
        walker.select(1);
        assert!(may_be(Wanted::Folder, walker.chosen().1));
        assert!(walker.count_one(0..1));
        walker.select(0);
        assert!(!may_be(Wanted::Folder, walker.chosen().1), "pad has them in a folder of its own");
    }

    #[test]
    fn what_is_not_there_or_cannot_be_read_leaves_one_where_one_is() {
        let root = tree();
        let mut walker = Walker::at(&root.path().join("piano/was/here"), Wanted::Folder);
        assert_eq!(walker.listing().folder, root.path().join("piano"));
        walker.up();
        fs::remove_dir_all(root.path().join("rhodes")).unwrap();
        walker.jump("rhodes");
        walker.enter();
        assert_eq!(walker.listing().folder, root.path());
        assert!(walker.problem().is_some_and(|problem| problem.contains("rhodes cannot be read")));
        walker.jump("piano");
        walker.enter();
        assert_eq!(walker.problem(), None);
    }
}

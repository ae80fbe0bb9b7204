//! How the window names the bars that a take is fitted to, and those it can be fitted to.

use crate::state::{Fit, Take};
use crate::timeline::Landing;

/// The bars a take can be fitted to, and how a menu offers them: as many as it had at the tempo it was put at, at the
/// tempo of now.
pub fn offer(take: &Take, host: &Landing) -> Option<(String, Fit)> {
    let (seconds, bar) = (take.recipe.seconds, host.bar_length());
    let then = Fit::to_bars(seconds, take.place.tempo.unwrap_or(host.tempo()), bar);
    let fit = Fit { tempo: host.tempo(), ..then };
    fit.ratio(seconds)?;
    let bars = fit.beats / bar;
    let plural = if bars == 1.0 { "" } else { "s" };
    Some((format!("Fit to {bars} bar{plural} ({})", ratio(take, &fit)), fit))
}

/// How many times as long a fit makes a take.
pub fn ratio(take: &Take, fit: &Fit) -> String {
    format!("\u{d7}{:.3}", fit.seconds() / take.recipe.seconds)
}

/// A take's fit in full.
pub fn described(take: &Take, fit: &Fit) -> String {
    let two = |number: f64| (number * 100.0).round() / 100.0;
    let (beats, tempo) = (two(fit.beats), two(fit.tempo));
    format!("fitted to {beats} beats at {tempo} bpm, {:.2} s, {}", fit.seconds(), ratio(take, fit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Anchor, Place, Recipe};

    fn take(seconds: f64, tempo: Option<f64>) -> Take {
        let place = Place { beats: 0.0, seconds: 0.0, tempo, anchor: Anchor::Beats };
        Take::new(place, Recipe { seconds, ..Recipe::default() })
    }

    fn host(tempo: f64, bar: f64) -> Landing {
        Landing { tempo: Some(tempo), bar_length: Some(bar), ..Landing::default() }
    }

    #[test]
    fn the_menu_offers_the_bars_a_take_had_with_the_ratio_that_the_present_tempo_makes_of_it() {
        let offered = |take: Take, host: Landing| offer(&take, &host).map(|(text, _)| text);
        assert_eq!(offered(take(7.8, Some(120.0)), host(120.0, 4.0)).unwrap(), "Fit to 4 bars (\u{d7}1.026)");
        assert_eq!(offered(take(8.0, Some(120.0)), host(100.0, 4.0)).unwrap(), "Fit to 4 bars (\u{d7}1.200)");
        assert_eq!(offered(take(2.0, None), host(120.0, 3.5)).unwrap(), "Fit to 1 bar (\u{d7}0.875)");
        assert_eq!(offered(take(8.0, Some(120.0)), host(250.0, 4.0)), None, "shorter than the half");
    }

    #[test]
    fn a_fitted_take_says_what_it_is_fitted_to_and_how_much_it_is_stretched() {
        let (fit, take) = (Fit { beats: 16.0, tempo: 118.04 }, take(8.0, None));
        assert_eq!(ratio(&take, &fit), "\u{d7}1.017");
        assert_eq!(described(&take, &fit), "fitted to 16 beats at 118.04 bpm, 8.13 s, \u{d7}1.017");
    }
}

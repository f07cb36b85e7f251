//! What the model listens to, beside what drifted.

use super::super::chart::escape;
use super::super::{brief, counted, short, words};
use crate::monitor::Outcome;

/// Features that are listed; the others carry little.
const LISTED: usize = 40;

pub(super) fn attribution(html: &mut String, outcome: &Outcome) {
    let Some(found) = &outcome.attribution else { return };
    put!(
        html,
        "<h2>What the model listens to</h2><p class=\"soft\">The part that each feature has in the model’s \
         answers: the mean size of its contributions, of {} rows of the reference and {} current ones, as a \
         share of all features. A drift matters where the model listens. Agreement of the order before and \
         now: {}; below 0.9 it has changed.</p>",
        counted(found.rows.0 as u64),
        counted(found.rows.1 as u64),
        short(found.agreement)
    );
    let told = words::attribution::story(found);
    if !told.is_empty() {
        let items = told.iter().map(|sentence| format!("<li>{}</li>", escape(sentence)));
        put!(html, "<ul class=\"story\">{}</ul>", items.collect::<String>());
    }
    html.push_str(
        "<div class=\"card wide scroll\"><table class=\"measures lines shares\"><thead><tr><th>feature</th><th>share \
         before and now</th><th></th><th>place</th><th>mean size</th></tr></thead><tbody>",
    );
    let sides = found.features.iter().map(|one| one.reference_share.max(one.current_share));
    let most = sides.fold(1e-9, f64::max);
    for feature in found.features.iter().take(LISTED) {
        let tag = match feature.column_drifted {
            Some(true) => "<span class=\"tag bad\">drifted</span>",
            _ => "",
        };
        let place = words::attribution::place(feature);
        put!(
            html,
            "<tr><td>{}{tag}</td><td class=\"bar\"><i class=\"past\" style=\"width:{:.1}%\"></i>\
             <i class=\"now\" style=\"width:{:.1}%\"></i></td><td>{}</td><td>{place}</td><td>{} → {}</td></tr>",
            escape(&feature.name),
            100.0 * feature.reference_share / most,
            100.0 * feature.current_share / most,
            words::attribution::shares(feature),
            brief(feature.reference),
            brief(feature.current),
        );
    }
    html.push_str("</tbody></table>");
    if let Some(more) = found.features.len().checked_sub(LISTED).filter(|more| *more > 0) {
        put!(html, "<p class=\"soft small\">and {more} more</p>");
    }
    html.push_str("</div>");
}

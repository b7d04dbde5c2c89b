//! Figures beside the bars they must pass.

/// What a figure must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

/// Prints one figure, its bar and whether it passes.
pub(crate) fn judge(what: &str, figure: f64, unit: &str, bar: Bar) {
    let (word, limit, passes) = match bar {
        Bar::AtLeast(limit) => ("at least", limit, figure >= limit),
        Bar::AtMost(limit) => ("at most", limit, figure <= limit),
    };
    let verdict = if passes { "pass" } else { "FAIL" };
    let digits = if figure.abs() < 100.0 { 3 } else { 0 };
    println!("  {verdict}  {what}: {figure:.digits$} {unit} ({word} {limit})");
}

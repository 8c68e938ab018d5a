//! The frames of window functions.

use datafusion::logical_expr::{WindowFrame, WindowFrameBound, WindowFrameUnits};
use datafusion::scalar::ScalarValue;

use crate::bound::{Expression, Window};
use crate::refusal::Refusal;

/// Whether rows that are equal in the order get the same values.
pub(super) fn is_repeatable_window(window: &Window) -> bool {
    match window.kind.as_str() {
        "WINDOW_RANK" | "WINDOW_RANK_DENSE" | "WINDOW_PERCENT_RANK" | "WINDOW_CUME_DIST" => true,
        "WINDOW_AGGREGATE" => {
            is_whole(window) || !(window.start.ends_with("_ROWS") || window.end.ends_with("_ROWS"))
        }
        _ => false,
    }
}

pub(super) fn is_whole(window: &Window) -> bool {
    window.start == "UNBOUNDED_PRECEDING" && window.end == "UNBOUNDED_FOLLOWING"
}

/// Whether a function that orders rows itself sees all of them.
pub(super) fn is_over_whole(window: &Window) -> bool {
    let is_ordering = matches!(
        window.kind.as_str(),
        "WINDOW_ROW_NUMBER"
            | "WINDOW_RANK"
            | "WINDOW_PERCENT_RANK"
            | "WINDOW_CUME_DIST"
            | "WINDOW_FIRST_VALUE"
            | "WINDOW_LAST_VALUE"
    );
    let is_whole = matches!(window.end.as_str(), "CURRENT_ROW_RANGE" | "UNBOUNDED_FOLLOWING");
    is_ordering && is_whole && window.start == "UNBOUNDED_PRECEDING"
}

/// Whether it matters to a function which rows its frame has.
pub(super) fn has_frame(window: &Window) -> bool {
    matches!(
        window.kind.as_str(),
        "WINDOW_AGGREGATE" | "WINDOW_FIRST_VALUE" | "WINDOW_LAST_VALUE" | "WINDOW_NTH_VALUE"
    )
}

pub(super) fn whole_frame() -> WindowFrame {
    let unbounded = ScalarValue::UInt64(None);
    WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(unbounded.clone()),
        WindowFrameBound::Following(unbounded),
    )
}

pub(super) fn frame(window: &Window, is_unordered: bool) -> Result<WindowFrame, Refusal> {
    let ends_with = |suffix: &str| window.start.ends_with(suffix) || window.end.ends_with(suffix);
    let units = match () {
        () if ends_with("_ROWS") || is_whole(window) => WindowFrameUnits::Rows,
        () if ends_with("_GROUPS") && is_unordered => {
            return Err(Refusal::Operator("WINDOW with GROUPS".to_owned()));
        }
        () if ends_with("_GROUPS") => WindowFrameUnits::Groups,
        () => WindowFrameUnits::Range,
    };
    let start = bound(&window.start, window.start_expr.as_ref(), units)?;
    let end = bound(&window.end, window.end_expr.as_ref(), units)?;
    // Without an order all rows are equal in it.
    if is_unordered && units == WindowFrameUnits::Range {
        return Ok(whole_frame());
    }
    if !is_forward(&start, &end) {
        return Err(Refusal::Operator("WINDOW that ends before it starts".to_owned()));
    }
    Ok(WindowFrame::new_bounds(units, start, end))
}

/// Whether a frame can have rows: DataFusion takes no other.
fn is_forward(start: &WindowFrameBound, end: &WindowFrameBound) -> bool {
    use WindowFrameBound::{CurrentRow, Following, Preceding};
    match (start, end) {
        (Preceding(start), Preceding(end)) => start.is_null() || (!end.is_null() && start >= end),
        (Following(start), Following(end)) => end.is_null() || (!start.is_null() && start <= end),
        (Preceding(_), _) | (CurrentRow, CurrentRow | Following(_)) => true,
        (CurrentRow | Following(_), _) => false,
    }
}

fn bound(
    name: &str,
    offset: Option<&Expression>,
    units: WindowFrameUnits,
) -> Result<WindowFrameBound, Refusal> {
    let rows = || {
        let rows = offset.and_then(number).and_then(|rows| u64::try_from(rows).ok());
        let rows = rows.filter(|_| units != WindowFrameUnits::Range);
        rows.ok_or_else(|| Refusal::Operator(format!("WINDOW from {name}")))
    };
    Ok(match name {
        "UNBOUNDED_PRECEDING" => WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        "UNBOUNDED_FOLLOWING" => WindowFrameBound::Following(ScalarValue::UInt64(None)),
        "CURRENT_ROW_RANGE" | "CURRENT_ROW_ROWS" | "CURRENT_ROW_GROUPS" => WindowFrameBound::CurrentRow,
        "EXPR_PRECEDING_ROWS" | "EXPR_PRECEDING_GROUPS" => {
            WindowFrameBound::Preceding(ScalarValue::UInt64(Some(rows()?)))
        }
        "EXPR_FOLLOWING_ROWS" | "EXPR_FOLLOWING_GROUPS" => {
            WindowFrameBound::Following(ScalarValue::UInt64(Some(rows()?)))
        }
        other => return Err(Refusal::Operator(format!("WINDOW from {other}"))),
    })
}

/// A constant integer.
pub(super) fn number(expression: &Expression) -> Option<i64> {
    match expression {
        Expression::Constant(constant) if !constant.is_null && constant.sql_type.is_small_integer() => {
            constant.value.as_i64()
        }
        Expression::Cast { child, to, .. } if to.is_small_integer() => number(child),
        _ => None,
    }
}

//! The configured line editor: keys, completion, colours, history.

use std::sync::Arc;

use reedline::{
    ColumnarMenu, Emacs, InputMode, KeyCode, KeyModifiers, MenuBuilder as _, Reedline, ReedlineEvent,
    ReedlineMenu, default_emacs_keybindings,
};

use super::complete::SqlCompleter;
use super::highlight::SqlHighlighter;
use super::history;
use super::names::Names;
use super::statement::EndsWithSemicolon;
use crate::color;

const MENU: &str = "completions";

/// Characters of names besides letters and digits: typing any other closes the menu.
const NAME_CHARACTERS: &str = "_\"$.";

/// An editor that completes from these names. If the history can't be used, it reports that and works without it.
pub(super) fn editor(names: Arc<Names>) -> Reedline {
    // The text after the cursor shows which columns may be meant.
    let menu = ColumnarMenu::default().with_input_mode(InputMode::FullBuffer);
    let menu = menu.with_name(MENU).with_marker("").with_word_chars(NAME_CHARACTERS);
    let mut keys = default_emacs_keybindings();
    let complete =
        ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext]);
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, complete);
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);

    let editor = Reedline::create()
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_completer(Box::new(SqlCompleter::new(names)))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_highlighter(Box::new(SqlHighlighter))
        .with_validator(Box::new(EndsWithSemicolon))
        .with_ansi_colors(color::is_wanted())
        .use_bracketed_paste(true);
    match history::open() {
        Ok(Some(history)) => editor.with_history(Box::new(history)),
        Ok(None) => editor,
        Err(failure) => {
            failure.tell();
            editor
        }
    }
}

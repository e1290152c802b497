//! The reference page of the command line, generated from what clap knows of it.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use super::args::Cli;

/// `relayer/docs/CLI.md`.
#[must_use]
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Command line\n\n\
         Generated from `relayer/node/src/cli/args.rs`; a test compares the two (`UPDATE=1 cargo test -p catenary reference`\n\
         writes it again). Exit codes: 0 done, 1 refused or failed (the message has a stable code, see [ERRORS](ERRORS.md)),\n\
         2 the command line was not understood, 130 Ctrl-C ended the demo.\n",
    );
    let root = Cli::command();
    page.push_str("\n## Options of every command\n\n| option | meaning | default |\n| --- | --- | --- |\n");
    root.get_arguments().filter(|arg| arg.is_global_set()).for_each(|arg| argument(&mut page, arg));
    page.push_str("\n## Commands\n");
    for command in root.get_subcommands() {
        walk(&mut page, "catenary", command);
    }
    page
}

fn walk(page: &mut String, parent: &str, command: &Command) {
    let name = format!("{parent} {}", command.get_name());
    let mut inner = command.get_subcommands().filter(|inner| inner.get_name() != "help").peekable();
    if inner.peek().is_some() {
        inner.for_each(|inner| walk(page, &name, inner));
        return;
    }
    let positional = command.get_positionals().map(|arg| format!(" <{}>", arg.get_id().as_str().to_uppercase()));
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = format!("{name}{}", positional.collect::<String>());
    // Writing to a string cannot fail.
    let _ = writeln!(page, "\n### `{usage}`\n\n{}", sentence(&about));
    let arguments: Vec<&Arg> = command.get_arguments().filter(|arg| arg.get_id() != "help").collect();
    if !arguments.is_empty() {
        page.push_str("\n| argument | meaning | default |\n| --- | --- | --- |\n");
        arguments.into_iter().for_each(|arg| argument(page, arg));
    }
}

fn argument(page: &mut String, arg: &Arg) {
    let id = arg.get_id().as_str();
    let name = match arg.get_long() {
        Some(long) if arg.get_action().takes_values() => format!("--{long} <{}>", id.to_uppercase()),
        Some(long) => format!("--{long}"),
        None => format!("<{}>", id.to_uppercase()),
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<&str> = arg.get_default_values().iter().filter_map(|value| value.to_str()).collect();
    let default = match (values.first(), arg.get_env()) {
        _ if !arg.get_action().takes_values() => String::new(),
        (Some(value), None) if !value.is_empty() => format!("`{value}`"),
        (Some(value), Some(env)) => format!("`{}`, else `{value}`", env.to_string_lossy()),
        (None, Some(env)) => format!("`{}`", env.to_string_lossy()),
        (_, None) if arg.is_required_set() => "required".to_owned(),
        (_, None) => String::new(),
    };
    let _ = writeln!(page, "| `{name}` | {} | {default} |", sentence(&help));
}

fn sentence(text: &str) -> String {
    let text = text.replace('\n', " ");
    if text.ends_with('.') || text.is_empty() {
        text
    } else {
        format!("{text}.")
    }
}

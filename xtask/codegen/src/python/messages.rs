//! The messages, enums and methods of all files.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
};

use super::HEADER;
use super::docs::Comments;

/// The files of protobuf itself that define one message each.
const WELL_KNOWN: &str = "google.protobuf";

/// The package whose service is meant if none is named.
const OUR_PACKAGE: &str = "polarway.v1";

/// The numbers by which `descriptor.proto` names the parts of a file, of a message and of an enum.
const MESSAGES: i32 = 4;
const ENUMS: i32 = 5;
const MEMBERS: i32 = 2;

const IMPORTS: &str = r#""""The messages of the protocol, of the status of a failed call, and of health."""

from __future__ import annotations

import dataclasses
import enum

from polarway._wire import Bytes, Field, Kind, Message, describe
"#;

/// The module of messages and enums.
///
/// # Errors
/// When a message has something that the client's codec does not know.
pub(super) fn messages(descriptors: &FileDescriptorSet) -> Result<String> {
    let mut enums = String::new();
    let mut classes = String::new();
    let mut tables = String::new();
    for file in &descriptors.file {
        let comments = Comments::of(file);
        for (index, definition) in (0..).zip(&file.enum_type) {
            enums += &enum_class(definition, &comments, &[ENUMS, index])?;
        }
        for (index, definition) in (0..).zip(&file.message_type) {
            ensure!(definition.enum_type.is_empty(), "{}: enums inside of messages", definition.name());
            classes += &message_class(definition, &comments, &[MESSAGES, index])?;
            tables += &field_table(file, definition)?;
        }
    }
    Ok(format!("{HEADER}{IMPORTS}{enums}{classes}\n\n{tables}"))
}

/// The module of methods.
///
/// # Errors
/// When a method lacks a type.
pub(super) fn methods(descriptors: &FileDescriptorSet) -> Result<String> {
    let mut text = format!(
        "{HEADER}\"\"\"The methods of the services.\"\"\"\n\nfrom typing import Final\n\n\
         from polarway._generated import messages\nfrom polarway._wire import Method\n"
    );
    for file in &descriptors.file {
        for service in &file.service {
            for method in &service.method {
                let mut name = screaming_snake_case(method.name());
                if file.package() != OUR_PACKAGE {
                    name = format!("{}_{name}", screaming_snake_case(service.name()));
                }
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                let request = class_name(method.input_type())?;
                let response = class_name(method.output_type())?;
                write!(
                    text,
                    "\n{name}: Final = Method(\n    \"{path}\",\n    messages.{request},\n    messages.{response},\n    \
                     client_streaming={},\n    server_streaming={},\n)\n",
                    boolean(method.client_streaming()),
                    boolean(method.server_streaming()),
                )?;
            }
        }
    }
    Ok(text)
}

fn enum_class(definition: &EnumDescriptorProto, comments: &Comments<'_>, path: &[i32]) -> Result<String> {
    let mut text = format!("\n\nclass {}(enum.IntEnum):\n", definition.name());
    text += &comments.docstring(path);
    // Values are named after their enum since protobuf has them all in one scope.
    let prefix = screaming_snake_case(definition.name()) + "_";
    for (index, value) in (0..).zip(&definition.value) {
        let name = value.name().strip_prefix(&prefix).unwrap_or(value.name());
        let above = comments.above(&[path, &[MEMBERS, index]].concat());
        write!(text, "\n{above}    {name} = {}\n", value.number())?;
    }
    Ok(text)
}

fn message_class(definition: &DescriptorProto, comments: &Comments<'_>, path: &[i32]) -> Result<String> {
    let name = definition.name();
    let mut text = format!("\n\n@dataclasses.dataclass(slots=True)\nclass {name}(Message):\n");
    text += &comments.docstring(path);
    for (index, field) in (0..).zip(&definition.field) {
        let above = comments.above(&[path, &[MEMBERS, index]].concat());
        let (kind, default) =
            annotation(definition, field).with_context(|| format!("{name}.{}", field.name()))?;
        write!(text, "\n{above}    {}: {kind} = {default}\n", field.name())?;
    }
    Ok(text)
}

/// What the codec has to know of a message's fields.
fn field_table(file: &FileDescriptorProto, definition: &DescriptorProto) -> Result<String> {
    let mut text = format!(
        "describe(\n    {},\n    \"{}.{}\",\n    (\n",
        definition.name(),
        file.package(),
        definition.name()
    );
    for field in &definition.field {
        let mut kind = field_kind(field)?;
        let mut options = String::new();
        if map_entry(definition, field).is_some() {
            kind = "MAP";
        } else if matches!(field.r#type(), Type::Message | Type::Enum) {
            write!(options, ", of={}", class_name(field.type_name())?)?;
        }
        if is_repeated(field) && kind != "MAP" {
            options += ", repeated=True";
        }
        if has_presence(field) && field.r#type() != Type::Message {
            options += ", optional=True";
        }
        if let Some(oneof) = field.oneof_index.filter(|_| !field.proto3_optional()) {
            let oneof = usize::try_from(oneof).ok().and_then(|index| definition.oneof_decl.get(index));
            write!(options, ", oneof=\"{}\"", oneof.context("a oneof that is not there")?.name())?;
        }
        writeln!(text, "        Field({}, \"{}\", Kind.{kind}{options}),", field.number(), field.name())?;
    }
    Ok(text + "    ),\n)\n")
}

/// The annotation of a field and its default.
fn annotation(definition: &DescriptorProto, field: &FieldDescriptorProto) -> Result<(String, String)> {
    if map_entry(definition, field).is_some() {
        return Ok(("dict[str, str]".to_owned(), "dataclasses.field(default_factory=dict)".to_owned()));
    }
    let (one, default) = match field.r#type() {
        Type::String => ("str".to_owned(), "\"\"".to_owned()),
        Type::Bytes => ("Bytes".to_owned(), "b\"\"".to_owned()),
        Type::Bool => ("bool".to_owned(), "False".to_owned()),
        Type::Double => ("float".to_owned(), "0.0".to_owned()),
        Type::Message => (class_name(field.type_name())?.to_owned(), "None".to_owned()),
        Type::Enum => (format!("{} | int", class_name(field.type_name())?), "0".to_owned()),
        _ => ("int".to_owned(), "0".to_owned()),
    };
    if is_repeated(field) {
        return Ok((format!("list[{one}]"), "dataclasses.field(default_factory=list)".to_owned()));
    }
    if has_presence(field) {
        return Ok((format!("{one} | None"), "None".to_owned()));
    }
    Ok((one, default))
}

/// The name that the codec has for a field's type.
fn field_kind(field: &FieldDescriptorProto) -> Result<&'static str> {
    let kind = match field.r#type() {
        Type::String => "STRING",
        Type::Bytes => "BYTES",
        Type::Message => "MESSAGE",
        Type::Enum => "ENUM",
        Type::Bool => "BOOL",
        Type::Int32 => "INT32",
        Type::Int64 => "INT64",
        Type::Uint32 => "UINT32",
        Type::Uint64 => "UINT64",
        Type::Fixed32 => "FIXED32",
        Type::Double => "DOUBLE",
        other => bail!("{}: the Python client's codec has no {}", field.name(), other.as_str_name()),
    };
    let is_packed = !matches!(field.r#type(), Type::String | Type::Bytes | Type::Message);
    ensure!(
        !(is_packed && is_repeated(field)),
        "{}: the Python client's codec has no repeated numbers",
        field.name()
    );
    Ok(kind)
}

/// The type of the entries, if the field is a map. Maps from texts to texts are all that there is.
fn map_entry<'a>(
    definition: &'a DescriptorProto,
    field: &FieldDescriptorProto,
) -> Option<&'a DescriptorProto> {
    let nested = definition.nested_type.iter();
    nested.filter(|nested| nested.options.as_ref().is_some_and(|options| options.map_entry())).find(
        |nested| {
            let is_its_type =
                field.type_name().ends_with(&format!(".{}.{}", definition.name(), nested.name()));
            is_its_type && nested.field.iter().all(|part| part.r#type() == Type::String)
        },
    )
}

fn is_repeated(field: &FieldDescriptorProto) -> bool {
    field.label() == Label::Repeated
}

/// Whether the field can be absent, other than by having its default.
fn has_presence(field: &FieldDescriptorProto) -> bool {
    !is_repeated(field) && (field.r#type() == Type::Message || field.oneof_index.is_some())
}

/// The class of a type. Names are short: two packages with one name for two messages are refused by the type checker.
fn class_name(type_name: &str) -> Result<&str> {
    let (package, name) =
        type_name.trim_start_matches('.').rsplit_once('.').context("a type has no package")?;
    let is_top = package == WELL_KNOWN || package.rsplit('.').next().is_some_and(starts_small);
    ensure!(is_top, "{type_name}: types inside of messages");
    Ok(name)
}

fn starts_small(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
}

fn screaming_snake_case(camel_case: &str) -> String {
    let mut text = String::new();
    for letter in camel_case.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

fn boolean(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

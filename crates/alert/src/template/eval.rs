//! Runs a template.

use std::collections::{BTreeMap, HashMap};

use super::parser::{Base, Node, Operand, Pipe};
use super::value::Value;
use super::{Data, OUTPUT_BYTES_MAX, STEPS_MAX, Stop, functions};

pub(super) fn run(
    nodes: &[Node],
    defined: &HashMap<String, Vec<Node>>,
    data: &Data,
) -> Result<String, Stop> {
    let root = Value::Map(BTreeMap::from([
        ("Labels".to_owned(), Value::Texts(data.labels.clone())),
        ("ExternalLabels".to_owned(), Value::Texts(data.external_labels.clone())),
        ("ExternalURL".to_owned(), Value::Text(data.external_url.clone())),
        ("Value".to_owned(), Value::Float(data.value)),
    ]));
    let variables = [
        ("$", root.clone()),
        ("$labels", Value::Texts(data.labels.clone())),
        ("$externalLabels", Value::Texts(data.external_labels.clone())),
        ("$externalURL", Value::Text(data.external_url.clone())),
        ("$value", Value::Float(data.value)),
    ];
    let mut run = Run {
        defined,
        data,
        variables: variables.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        out: String::new(),
        steps: 0,
        depth: 0,
    };
    run.nodes(nodes, &root)?;
    Ok(run.out)
}

pub(super) struct Run<'r> {
    defined: &'r HashMap<String, Vec<Node>>,
    pub(super) data: &'r Data,
    variables: Vec<(String, Value)>,
    out: String,
    steps: usize,
    depth: usize,
}

/// How a list of nodes ended.
#[derive(PartialEq, Eq)]
enum Flow {
    Done,
    Break,
    Continue,
}

/// Templates in templates.
const DEPTH_MAX: usize = 50;

fn wrong<T>(message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Error(message.into()))
}

impl Run<'_> {
    fn step(&mut self) -> Result<(), Stop> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return wrong(format!("more than {STEPS_MAX} steps"));
        }
        if self.out.len() > OUTPUT_BYTES_MAX {
            return wrong(format!("more than {OUTPUT_BYTES_MAX} bytes of output"));
        }
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, Stop> {
        for node in nodes {
            self.step()?;
            let flow = self.node(node, dot)?;
            if flow != Flow::Done {
                return Ok(flow);
            }
        }
        Ok(Flow::Done)
    }

    /// Nodes whose variables end with them.
    fn scoped(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, Stop> {
        let known = self.variables.len();
        let flow = self.nodes(nodes, dot);
        self.variables.truncate(known);
        flow
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, Stop> {
        let known = self.variables.len();
        let flow = match node {
            Node::Text(text) => {
                self.out.push_str(text);
                return Ok(Flow::Done);
            }
            Node::Pipe(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.variables.is_empty() {
                    self.out.push_str(&value.print());
                }
                return Ok(Flow::Done);
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::If { condition, then, otherwise } => {
                let truth = self.pipe(condition, dot)?.truth();
                self.scoped(if truth { then } else { otherwise }, dot)?
            }
            Node::With { value, then, otherwise } => {
                let value = self.pipe(value, dot)?;
                if value.truth() {
                    self.scoped(then, &value)?
                } else {
                    self.scoped(otherwise, dot)?
                }
            }
            Node::Range { list, each, otherwise } => self.range(list, each, otherwise, dot)?,
            Node::Template { name, value } => {
                let value = match value {
                    Some(pipe) => self.pipe(pipe, dot)?,
                    None => Value::Nil,
                };
                self.template(name, &value)?;
                Flow::Done
            }
        };
        self.variables.truncate(known);
        Ok(flow)
    }

    pub(super) fn template(&mut self, name: &str, value: &Value) -> Result<(), Stop> {
        let Some(nodes) = self.defined.get(name) else {
            return wrong(format!("template {name:?} not defined"));
        };
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return wrong(format!("exceeded maximum template depth ({DEPTH_MAX})"));
        }
        let outside = std::mem::replace(&mut self.variables, vec![("$".to_owned(), value.clone())]);
        let result = self.nodes(nodes, value);
        self.variables = outside;
        self.depth -= 1;
        result.map(drop)
    }

    /// `tmpl`: what a template writes, as a value.
    pub(super) fn template_text(&mut self, name: &str, value: &Value) -> Result<String, Stop> {
        let outside = std::mem::take(&mut self.out);
        let result = self.template(name, value);
        let text = std::mem::replace(&mut self.out, outside);
        result.map(|()| text)
    }

    fn range(
        &mut self,
        list: &Pipe,
        each: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<Flow, Stop> {
        let silent = Pipe { variables: Vec::new(), ..list.clone() };
        let items: Vec<(Value, Value)> = match self.pipe(&silent, dot)? {
            Value::List(items) => {
                let index = |at: usize| Value::Int(i64::try_from(at).unwrap_or(i64::MAX));
                items.into_iter().enumerate().map(|(at, item)| (index(at), item)).collect()
            }
            Value::Texts(map) => {
                map.into_iter().map(|(key, value)| (Value::Text(key), Value::Text(value))).collect()
            }
            Value::Map(map) => {
                map.into_iter().map(|(key, value)| (Value::Text(key), value)).collect()
            }
            Value::Int(count) => {
                let count = count.clamp(0, i64::try_from(STEPS_MAX).unwrap_or(i64::MAX));
                (0..count).map(|n| (Value::Int(n), Value::Int(n))).collect()
            }
            Value::Nil => Vec::new(),
            other => return wrong(format!("range can't iterate over {}", other.print())),
        };
        if items.is_empty() {
            return self.scoped(otherwise, dot);
        }
        for (key, item) in items {
            let known = self.variables.len();
            match list.variables.as_slice() {
                [element] => self.set(list.declares, element, item.clone()),
                [index, element] => {
                    self.set(list.declares, index, key);
                    self.set(list.declares, element, item.clone());
                }
                _ => {}
            }
            let flow = self.nodes(each, &item)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Done)
    }

    fn set(&mut self, declares: bool, name: &str, value: Value) {
        if !declares
            && let Some(found) = self.variables.iter_mut().rev().find(|(known, _)| known == name)
        {
            found.1 = value;
            return;
        }
        self.variables.push((name.to_owned(), value));
    }

    fn pipe(&mut self, pipe: &Pipe, dot: &Value) -> Result<Value, Stop> {
        let mut last: Option<Value> = None;
        for command in &pipe.commands {
            self.step()?;
            last = Some(self.command(command, dot, last)?);
        }
        let value = last.unwrap_or(Value::Nil);
        if let [name] = pipe.variables.as_slice() {
            self.set(pipe.declares, name, value.clone());
        }
        Ok(value)
    }

    fn command(
        &mut self,
        command: &[Operand],
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, Stop> {
        let Some((first, arguments)) = command.split_first() else { return Ok(Value::Nil) };
        let Base::Function(name) = &first.base else {
            if piped.is_some() {
                return wrong("can't give argument to non-function");
            }
            return self.operand(first, dot);
        };
        if name == "and" || name == "or" {
            return self.short_circuit(name == "and", arguments, dot, piped);
        }
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for argument in arguments {
            values.push(self.operand(argument, dot)?);
        }
        values.extend(piped);
        let value = functions::call(self, name, values)?;
        fields(value, &first.fields)
    }

    fn short_circuit(
        &mut self,
        and: bool,
        arguments: &[Operand],
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, Stop> {
        let mut last = Value::Nil;
        for argument in arguments {
            last = self.operand(argument, dot)?;
            if last.truth() != and {
                return Ok(last);
            }
        }
        Ok(piped.unwrap_or(last))
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, Stop> {
        let base = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Nil => Value::Nil,
            Base::Bool(truth) => Value::Bool(*truth),
            Base::Int(number) => Value::Int(*number),
            Base::Float(number) => Value::Float(*number),
            Base::Text(text) => Value::Text(text.clone()),
            Base::Variable(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                found.map_or(Value::Nil, |(_, value)| value.clone())
            }
            Base::Function(name) => functions::call(self, name, Vec::new())?,
            Base::Pipe(pipe) => self.pipe(pipe, dot)?,
        };
        fields(base, &operand.fields)
    }
}

fn fields(mut value: Value, names: &[String]) -> Result<Value, Stop> {
    for name in names {
        value = value.field(name).map_err(Stop::Error)?;
    }
    Ok(value)
}

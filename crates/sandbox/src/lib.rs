//! A Kubernetes API server in one process.
//!
//! What: [`Sandbox`] answers HTTP as kube-apiserver 1.36 does: discovery, OpenAPI, all verbs, watches,
//! patches of every kind, server-side apply with managed fields, custom resources, RBAC; and, if asked,
//! simulated controllers that make workloads ready. It is served on a port ([`Sandbox::serve`]) or
//! plugged into a client without a socket ([`Sandbox::service`]).
//!
//! What not: it runs no containers, and it is not for production. It knows no product: what is true
//! here is recorded from the real server, never from what a client of ours would like.
//!
//! Why its shape: the server is a value ([`server`]); a request and a [`Moment`] go in, a reply and
//! changes come out. Clock and randomness are passed in, so a run can be repeated by its seed.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod access;
mod advice;
mod autoscaling;
mod bootstrap;
mod budgets;
mod build;
mod catalog;
mod columns;
mod controllers;
mod crd;
mod custom;
mod decode;
mod defaults;
mod deleting;
mod direct;
mod document;
mod documents;
mod expressions;
mod gofmt;
mod gotypes;
mod http_service;
mod immutable;
mod jsonpath;
mod keep;
mod kinds;
mod life;
mod listing;
mod managed;
mod moment;
mod names;
mod negotiate;
mod openapi_v2;
mod options;
mod patching;
mod policy_admission;
mod printers;
mod quantity;
mod quota;
mod reading;
mod request;
mod reviews;
mod rules;
mod sandbox;
mod scale;
mod select;
mod serve;
mod server;
mod services;
mod snapshot;
mod status;
mod store;
mod strategy;
mod subresources;
mod table;
mod times;
mod tls;
mod tokens;
mod validation;
mod versions;
mod watching;
mod writing;

pub use access::User;
pub use direct::{Answer, AnswerBody, Watching};
pub use http_service::{SandboxBody, SandboxService};
pub use moment::Moment;
pub use request::Request;
pub use sandbox::{Clock, Fault, FaultHook, Options, RequestCount, Sandbox, StartError};
pub use serve::Served;
pub use tls::Certificate;

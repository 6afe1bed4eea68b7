//! The arguments, as they are written.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keeps Kubernetes clusters equal to what Git says.
#[derive(Debug, Parser)]
#[command(name = "lockstep", version, arg_required_else_help = true, propagate_version = false)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a cluster in this process and keep it equal to a folder or repository.
    Up(Up),
    /// Run the operator against a cluster.
    Run(Run),
    /// Print the manifests that install Lockstep, or apply them.
    Install(Install),
    /// Print the objects of a folder.
    Render(Render),
    /// Show what a folder would change in a cluster; exit code 3 if anything.
    Diff(Diff),
    /// Apply a folder to a cluster once and wait until it is healthy: for CI.
    Sync(Sync),
    /// Look at Apps and steer them.
    App(App),
    /// Start only the API server of the sandbox.
    Sandbox(Sandbox),
    /// Print a completion script.
    Completion {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the version.
    Version,
}

/// Which cluster.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Connection {
    /// The kubeconfig file; by default what kubectl would use.
    #[arg(long, value_name = "FILE", env = "KUBECONFIG", global = true)]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig.
    #[arg(long, global = true)]
    pub(crate) context: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// A folder (a Git repository or inside one) or the URL of a repository.
    #[arg(default_value = ".")]
    pub(crate) source: String,
    /// The folder inside the source.
    #[arg(long, default_value = "")]
    pub(crate) path: String,
    /// The branch, tag, commit or version range; by default HEAD.
    #[arg(long = "ref", value_name = "REF")]
    pub(crate) reference: Option<String>,
    /// The namespace to deploy to; it is made if missing.
    #[arg(long, default_value = "default")]
    pub(crate) namespace: String,
    /// The namespace that the Apps are kept in; it is made if missing, and other Apps are left alone if it is said.
    #[arg(long, value_name = "NS")]
    pub(crate) app_namespace: Option<String>,
    /// Deploy the working tree: saving a file deploys it, nothing needs to be committed.
    #[arg(long)]
    pub(crate) worktree: bool,
    /// Use this cluster instead of a sandbox.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Keep the sandbox's data in this folder; by default it is gone with the process.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The port of the sandbox; by default a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Write a kubeconfig here once the API server answers.
    #[arg(long, value_name = "FILE")]
    pub(crate) write_kubeconfig: Option<PathBuf>,
    /// Stop as soon as every App is healthy.
    #[arg(long)]
    pub(crate) exit_when_healthy: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Only look at Apps of this namespace.
    #[arg(long)]
    pub(crate) namespace: Option<String>,
    /// Where copies of remote repositories are kept.
    #[arg(long, value_name = "DIR", default_value = "/var/cache/lockstep")]
    pub(crate) cache: PathBuf,
    /// The address of metrics, health and webhooks.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub(crate) listen: std::net::SocketAddr,
    /// The file with the secret that webhooks must prove to know; without one anybody may ask for a look.
    #[arg(long, value_name = "FILE")]
    pub(crate) webhook_secret_file: Option<PathBuf>,
    /// Install the custom resource definitions at the start.
    #[arg(long)]
    pub(crate) install_crds: bool,
    /// Health rules for all Apps: a YAML list of what `spec.healthRules` of an App takes.
    #[arg(long, value_name = "FILE")]
    pub(crate) health_rules: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Install {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Apply the manifests instead of printing them.
    #[arg(long)]
    pub(crate) apply: bool,
    /// The container image.
    #[arg(long, default_value = concat!("lockstep:", env!("CARGO_PKG_VERSION")))]
    pub(crate) image: String,
    /// The namespace of the operator.
    #[arg(long, default_value = "lockstep")]
    pub(crate) namespace: String,
}

#[derive(Debug, Args)]
pub(crate) struct Render {
    /// The folder, or the archive of a chart.
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) chart: Chart,
    /// Which files a kustomization may read.
    #[arg(long, value_enum, default_value_t = LoadRestrictor::RootOnly)]
    pub(crate) load_restrictor: LoadRestrictor,
    /// Render the charts of a kustomization's field `helmCharts`, which must lie in the folder.
    #[arg(long)]
    pub(crate) enable_helm: bool,
    /// Fetch the repositories and URLs that a kustomization names as bases.
    #[arg(long)]
    pub(crate) allow_remote_bases: bool,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t = Output::Yaml)]
    pub(crate) output: Output,
}

/// Which files a kustomization may read, in kustomize's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoadRestrictor {
    /// Files in or below its folder.
    #[value(name = "LoadRestrictionsRootOnly")]
    RootOnly,
    /// All files.
    #[value(name = "LoadRestrictionsNone")]
    None,
}

/// What a chart is rendered with; the names are those of `helm template`.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Charts")]
pub(crate) struct Chart {
    /// A values file, `-` for standard input; later ones win.
    #[arg(short = 'f', long, value_name = "FILE", value_delimiter = ',')]
    pub(crate) values: Vec<PathBuf>,
    /// Set values: `a.b=1,c[0]=x`.
    #[arg(long, value_name = "VALUES")]
    pub(crate) set: Vec<String>,
    /// Set values that stay texts.
    #[arg(long, value_name = "VALUES")]
    pub(crate) set_string: Vec<String>,
    /// Set values to JSON: `a={"b": 1}`, or one whole object.
    #[arg(long, value_name = "VALUES")]
    pub(crate) set_json: Vec<String>,
    /// Set values to the contents of files.
    #[arg(long, value_name = "KEY=FILE")]
    pub(crate) set_file: Vec<String>,
    /// Set a value to a text that is taken as it is.
    #[arg(long, value_name = "KEY=TEXT")]
    pub(crate) set_literal: Vec<String>,
    /// The name of the release.
    #[arg(long, default_value = "release-name")]
    pub(crate) name: String,
    /// The namespace of the release.
    #[arg(short, long, default_value = "default")]
    pub(crate) namespace: String,
    /// The Kubernetes version of `.Capabilities`.
    #[arg(long, value_name = "VERSION")]
    pub(crate) kube_version: Option<String>,
    /// API versions of `.Capabilities` besides the default ones.
    #[arg(short, long, value_name = "VERSIONS", value_delimiter = ',')]
    pub(crate) api_versions: Vec<String>,
    /// Print `crds/` too.
    #[arg(long)]
    pub(crate) include_crds: bool,
    /// Leave hooks out.
    #[arg(long)]
    pub(crate) no_hooks: bool,
    /// Leave tests out.
    #[arg(long)]
    pub(crate) skip_tests: bool,
    /// Do not look at `values.schema.json`.
    #[arg(long)]
    pub(crate) skip_schema_validation: bool,
    /// Render as an upgrade instead of an installation.
    #[arg(long)]
    pub(crate) is_upgrade: bool,
    /// Print only what these templates give: paths in the chart, patterns allowed.
    #[arg(short, long, value_name = "TEMPLATE")]
    pub(crate) show_only: Vec<String>,
    /// Print the notes instead of the manifests.
    #[arg(long)]
    pub(crate) notes: bool,
    /// Tell which template and which values file something comes from: a line of the output by its number, or a field as
    /// `Deployment/web.spec.replicas`.
    #[arg(long, value_name = "PATH")]
    pub(crate) explain: Option<String>,
    /// Take the notes of subcharts too.
    #[arg(long)]
    pub(crate) render_subchart_notes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The folder.
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    /// The namespace of objects that name none.
    #[arg(long, default_value = "default")]
    pub(crate) namespace: String,
}

#[derive(Debug, Args)]
pub(crate) struct Sync {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The folder.
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    /// The namespace of objects that name none; it is made if missing.
    #[arg(long, default_value = "default")]
    pub(crate) namespace: String,
    /// How long to wait until the objects are healthy, in seconds.
    #[arg(long, default_value_t = 300)]
    pub(crate) timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct App {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The namespace of the Apps.
    #[arg(short, long, default_value = "default", global = true)]
    pub(crate) namespace: String,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t = Output::Wide, global = true)]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) command: AppCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// List all Apps.
    List,
    /// Show one App and its objects.
    Get {
        /// The App.
        name: String,
    },
    /// Show the App's objects and what they own.
    Tree {
        /// The App.
        name: String,
    },
    /// Show the App's syncs.
    History {
        /// The App.
        name: String,
    },
    /// Make and push a commit that reverts the App's last one.
    Rollback {
        /// The App.
        name: String,
        /// The commit to revert; by default the one that is deployed.
        #[arg(long)]
        commit: Option<String>,
    },
    /// Stop changing the cluster for this App.
    Suspend {
        /// The App.
        name: String,
    },
    /// Go on changing the cluster for this App.
    Resume {
        /// The App.
        name: String,
    },
    /// Sync the App now.
    Refresh {
        /// The App.
        name: String,
    },
    /// Sync the App now: all of it, or some of its objects without hooks.
    Sync {
        /// The App.
        name: String,
        /// An object: `Kind/name`, `group/Kind/name`, `namespace/Kind/name`; may be repeated.
        #[arg(long = "resource", value_name = "OBJECT")]
        resources: Vec<String>,
    },
    /// Agree to the prune that the App's message asks about.
    ConfirmPrune {
        /// The App.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// The port; by default a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// The token of the administrator; by default a random one.
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// Write a kubeconfig here once the API server answers.
    #[arg(long, value_name = "FILE")]
    pub(crate) write_kubeconfig: Option<PathBuf>,
    /// No controllers and no admission of service accounts: only the API server.
    #[arg(long)]
    pub(crate) bare: bool,
    /// How long a simulated pod takes to start, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 300)]
    pub(crate) fake_kubelet_delay: u64,
    /// Keep the data in this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Begin with the objects of this YAML file, and write all objects to it at the end.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub(crate) snapshot: Option<PathBuf>,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Wide,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
    /// Names, one a line.
    Name,
}

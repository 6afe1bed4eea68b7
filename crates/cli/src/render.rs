//! `lockstep render`: the objects of a folder.

use std::path::{Path, PathBuf};

use anyhow::Context;
use lockstep_files::{FileTree, Reader};
use lockstep_object::{Diagnostic, Object, Place, to_json_pretty, yaml};
use lockstep_operator::{MOST_REMOTES, fetch_remote};
use lockstep_render::{
    ChartContext, KustomizeSpec, LoadRestrictor, Need, NotBuilt, Remotes, RenderSpec, SourceKind, kustomize_build,
    recognise, render_for,
};
use lockstep_sources::{CacheOptions, Credentials, Git, disk};

use crate::{
    End,
    arguments::{self, Output},
    chart,
};

pub(crate) async fn render(arguments: &arguments::Render) -> anyhow::Result<End> {
    if chart::is_chart(&arguments.folder) {
        return render_chart(arguments);
    }
    let folder = Folder::open(&arguments.folder)?;
    let spec = RenderSpec {
        path: folder.path.clone(),
        kustomize: KustomizeSpec {
            load_restrictor: match arguments.load_restrictor {
                arguments::LoadRestrictor::RootOnly => LoadRestrictor::RootOnly,
                arguments::LoadRestrictor::None => LoadRestrictor::None,
            },
            enable_helm: arguments.enable_helm,
            allow_remote_bases: arguments.allow_remote_bases,
            ..KustomizeSpec::default()
        },
        ..RenderSpec::default()
    };
    if arguments.output == Output::Yaml
        && let Some(text) = print_as_kustomize_does(&folder, &spec).await?
    {
        print!("{text}");
        return Ok(End::Done);
    }
    print_as(arguments.output, &folder.objects(&spec).await?);
    Ok(End::Done)
}

fn render_chart(arguments: &arguments::Render) -> anyhow::Result<End> {
    let rendered = chart::rendered(&arguments.folder, &arguments.chart)?;
    if let Some(query) = &arguments.chart.explain {
        print!("{}", chart::explain(&rendered, query)?);
    } else if arguments.chart.notes {
        println!("{}", rendered.notes.trim_end());
    } else if arguments.output == Output::Yaml {
        print!("{}", rendered.template_output());
    } else {
        let (objects, diagnostics) = chart::objects(&rendered);
        report(&diagnostics)?;
        print_as(arguments.output, &objects);
    }
    Ok(End::Done)
}

fn print_as(output: Output, objects: &[(Object, Place)]) {
    match output {
        Output::Json => {
            let items: Vec<_> = objects.iter().map(|(object, _)| object.to_value()).collect();
            println!("{}", to_json_pretty(&items.into(), "  "));
        }
        Output::Name => objects.iter().for_each(|(object, _)| println!("{}", object.key())),
        Output::Yaml | Output::Wide => print_objects(objects),
    }
}

/// Returns the bytes of `kustomize build` where the folder is a kustomization.
async fn print_as_kustomize_does(folder: &Folder, spec: &RenderSpec) -> anyhow::Result<Option<String>> {
    match recognise(&folder.reader, &folder.path)? {
        SourceKind::Plain | SourceKind::Helm => Ok(None),
        SourceKind::Kustomize => {
            let mut remotes = Fetching::default();
            loop {
                match kustomize_build(&folder.reader, &folder.path, &spec.kustomize, &remotes.fetched) {
                    Ok((text, warnings)) => {
                        warnings.iter().for_each(|warning| eprintln!("{}", warning.trim()));
                        return Ok(Some(text));
                    }
                    Err(NotBuilt::Needs(need)) => remotes.fetch(need).await?,
                    Err(NotBuilt::Wrong(diagnostic)) => return folder.fail(*diagnostic),
                }
            }
        }
    }
}

/// What was fetched for a rendering, and what fetches more.
#[derive(Default)]
struct Fetching {
    fetched: Remotes,
    rounds: usize,
    git: Option<(Git, tempfile::TempDir)>,
}

impl Fetching {
    async fn fetch(&mut self, need: Need) -> anyhow::Result<()> {
        self.rounds += 1;
        anyhow::ensure!(self.rounds <= MOST_REMOTES, "the kustomization names more than {MOST_REMOTES} remote bases");
        let git = match &self.git {
            Some((git, _)) => git.clone(),
            None => {
                let cache = tempfile::tempdir().context("cannot make a temporary folder")?;
                let git = Git::new(CacheOptions::new(cache.path()))?;
                self.git = Some((git.clone(), cache));
                git
            }
        };
        let fetched = fetch_remote(&git, &need, Credentials::default()).await;
        self.fetched.insert(need, fetched);
        Ok(())
    }
}

fn print_objects(objects: &[(Object, Place)]) {
    for (place, (object, _)) in objects.iter().enumerate() {
        if place > 0 {
            println!("---");
        }
        print!("{}", yaml::print(&object.to_value()));
    }
}

/// Renders a folder of the disk; what is wrong with it is told, and an error ends it.
pub(crate) async fn objects_of(folder: &Path) -> anyhow::Result<Vec<(Object, Place)>> {
    let folder = Folder::open(folder)?;
    let spec = RenderSpec { path: folder.path.clone(), ..RenderSpec::default() };
    folder.objects(&spec).await
}

/// A folder of the disk, in the tree of all files: a kustomization reads what lies beside it, too.
struct Folder {
    shown: PathBuf,
    path: String,
    reader: Reader,
}

impl Folder {
    fn open(folder: &Path) -> anyhow::Result<Self> {
        let real =
            std::fs::canonicalize(folder).with_context(|| format!("cannot open the folder {}", folder.display()))?;
        let path = real.to_str().with_context(|| format!("{} is not a name in UTF-8", real.display()))?;
        let tree: FileTree = disk();
        Ok(Self { shown: folder.to_owned(), path: path.trim_start_matches('/').to_owned(), reader: tree.reader() })
    }

    async fn objects(&self, spec: &RenderSpec) -> anyhow::Result<Vec<(Object, Place)>> {
        let mut remotes = Fetching::default();
        let context = ChartContext { now: chart::now(), ..ChartContext::default() };
        let rendered = loop {
            let mut rendered = render_for(&self.reader, spec, &remotes.fetched, &context);
            match rendered.need.take() {
                Some(need) => remotes.fetch(need).await?,
                None => break rendered,
            }
        };
        let diagnostics: Vec<Diagnostic> = rendered.diagnostics.into_iter().map(|one| self.place(one)).collect();
        report(&diagnostics)?;
        anyhow::ensure!(!rendered.objects.is_empty(), "{} holds no objects", self.shown.display());
        Ok(rendered.objects)
    }

    /// Names the file as the person named the folder.
    fn place(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        let file = &mut diagnostic.place.file;
        if let Some(inside) = file.strip_prefix(&self.path) {
            *file = self.shown.join(inside.trim_start_matches('/')).display().to_string();
        } else if !file.is_empty() {
            file.insert(0, '/');
        }
        diagnostic
    }

    fn fail<T>(&self, diagnostic: Diagnostic) -> anyhow::Result<Option<T>> {
        report(&[self.place(diagnostic)]).map(|()| None)
    }
}

/// Tells diagnostics; fails if one is an error.
pub(crate) fn report(diagnostics: &[Diagnostic]) -> anyhow::Result<()> {
    for diagnostic in diagnostics {
        let word = if diagnostic.is_error() { "error" } else { "warning" };
        eprintln!("{word}: {diagnostic}");
        if let Some(hint) = &diagnostic.hint {
            eprintln!("hint: {hint}");
        }
    }
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
    anyhow::ensure!(errors == 0, "the folder cannot be rendered: {errors} error{}", if errors == 1 { "" } else { "s" });
    Ok(())
}

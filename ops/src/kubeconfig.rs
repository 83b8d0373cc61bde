//! Without a `payops.toml` that declares environments, a context of the kubeconfig is one: rollouts
//! are seen and steered at once on any machine that reaches a cluster with kubectl.

use payops_kube::{KubeContexts, default_kubeconfig_files, read_contexts};

use crate::backend::local;
use crate::environment::{
    ClusterConfig, EMBEDDED, KubeContext, Lookup, Origin, Overrides, Settings,
};
use crate::error::{OpsError, OpsResult};

const NO_CLUSTER: &str = "correct the file, set KUBECONFIG to another, or name an embedded \
    environment with --env: prod, preprod, test";

/// Adds the context that was asked for, or the current one. Where somebody says where the embedded
/// platform's data is, or a platform runs there, its environments stay first.
pub fn add_context(
    settings: &mut Settings,
    overrides: &Overrides,
    lookup: Lookup<'_>,
) -> OpsResult<()> {
    let asked = overrides.context.as_deref();
    if let Some(context) = asked {
        refuse_with_file(settings, context)?;
    } else if !settings.declared().is_empty() {
        return Ok(());
    }
    let embedded_first = settings.data_dir.origin != Origin::Default
        || settings
            .config()
            .is_some_and(|config| config.default_env.is_some())
        || is_running(settings);
    let files = default_kubeconfig_files(lookup);
    let wrong = |error| OpsError::usage(OpsError::from(error).chain());
    let found = match read_contexts(&files).map_err(wrong) {
        Ok(found) => found,
        // Nobody asked for a cluster.
        Err(_) if asked.is_none() && embedded_first => return Ok(()),
        Err(error) => return fail_when_needed(settings, asked, error),
    };
    let chosen = match choose(&found, asked, &files) {
        Ok(None) => return Ok(()),
        Ok(Some(chosen)) => chosen,
        Err(_) if asked.is_none() && embedded_first => return Ok(()),
        Err(error) => return fail_when_needed(settings, asked, error),
    };
    let (context, namespace) = chosen;
    let env = if EMBEDDED.contains(&context.as_str()) && embedded_first {
        format!("context:{context}")
    } else {
        context.clone()
    };
    if let Some(other) = overrides.env.iter().find(|named| **named != env)
        && asked.is_some()
    {
        return Err(OpsError::usage(format!(
            "--context {context} names a cluster and --env {other} another environment"
        ))
        .hint("use one of the two"));
    }
    let kubeconfig = match found.files.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    };
    let origin = match (asked, &kubeconfig) {
        (Some(_), _) => Origin::Flag("--context"),
        (None, Some(file)) => Origin::File(file.clone()),
        (None, None) => Origin::Variable("KUBECONFIG"),
    };
    let cluster = ClusterConfig {
        name: context.clone(),
        context: Some(context),
        kubeconfig,
        namespaces: namespace.into_iter().collect(),
        ..ClusterConfig::default()
    };
    settings.add_context(
        KubeContext {
            env,
            cluster,
            origin,
        },
        embedded_first,
    );
    Ok(())
}

/// A context past the file would be past the file's protection, roles and record too.
fn refuse_with_file(settings: &Settings, context: &str) -> OpsResult<()> {
    let declared = settings.declared();
    let Some(found) = settings.found.as_ref().filter(|_| !declared.is_empty()) else {
        return Ok(());
    };
    let owner = declared.iter().find(|name| {
        settings.target(name).is_ok_and(|env| {
            env.clusters()
                .iter()
                .any(|cluster| cluster.context.as_deref() == Some(context))
        })
    });
    let hint = match owner {
        Some(env) => format!("context {context} is a cluster of {env}: use --env {env}"),
        None => format!(
            "name one of its environments with --env: {}; or add the context to the clusters of one",
            declared.join(", ")
        ),
    };
    Err(OpsError::usage(format!(
        "--context is for use without a configuration file, and {} declares environments",
        found.path.display()
    ))
    .hint(hint))
}

fn is_running(settings: &Settings) -> bool {
    local::DataDir::open(&settings.data_dir.value)
        .and_then(|data| data.running())
        .is_ok_and(|running| running.is_some())
}

/// What is wrong is told at once to who asked for a context, and to others when a command needs an
/// environment.
fn fail_when_needed(
    settings: &mut Settings,
    asked: Option<&str>,
    error: OpsError,
) -> OpsResult<()> {
    if asked.is_some() {
        return Err(error);
    }
    if settings
        .envs
        .as_ref()
        .is_ok_and(|envs| envs.origin == Origin::Default)
    {
        let hint = error.hint.clone().unwrap_or_else(|| NO_CLUSTER.to_owned());
        settings.envs = Err((error.chain(), hint));
    }
    Ok(())
}

/// A context and the namespace that it names.
type Chosen = (String, Option<String>);

fn choose(
    found: &KubeContexts,
    asked: Option<&str>,
    files: &[std::path::PathBuf],
) -> OpsResult<Option<Chosen>> {
    let names: Vec<&str> = found
        .contexts
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let Some(wanted) = asked.or(found.current.as_deref()) else {
        return if names.is_empty() {
            Ok(None)
        } else {
            Err(OpsError::usage("the kubeconfig has no current context")
                .hint(format!("name one with --context: {}", names.join(", "))))
        };
    };
    let chosen = found.contexts.iter().find(|(name, _)| name == wanted);
    if let Some(chosen) = chosen {
        return Ok(Some(chosen.clone()));
    }
    let read: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let place = match read.as_slice() {
        [] => "the kubeconfig".to_owned(),
        files => files.join(", "),
    };
    let hint = if names.is_empty() {
        format!("{place} has no contexts; set KUBECONFIG to a file that has")
    } else {
        format!("contexts are {}", names.join(", "))
    };
    Err(OpsError::usage(format!("context {wanted} not found in {place}")).hint(hint))
}

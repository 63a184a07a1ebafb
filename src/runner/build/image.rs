//! Images of a build: which one, by which name here, under which pull policy, as which user.

use globset::Glob;
use indexmap::IndexMap;

use super::{BuildImage, variables::Variables};
use crate::{
    config::{
        Diagnostic, Diagnostics,
        keyword::job::{Image, PullPolicy},
    },
    event::{Failure, FailureReason},
    pipeline::Pipeline,
    runner::{Settings, pod::policy_name},
};

/// A diagnostic for each job that has no image where the settings have no default one.
pub fn without_image(pipeline: &Pipeline, settings: &Settings) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    if settings.image.is_some() {
        return diagnostics;
    }
    for job in pipeline.jobs.iter().filter(|job| job.image.is_none() && job.trigger.is_none()) {
        let message = format!("job `{}` has no image, and the runner has no default one", job.name);
        diagnostics.push(Diagnostic::error("no-image", message, job.span).help(NO_IMAGE));
    }
    diagnostics
}

const NO_IMAGE: &str =
    "give the job an `image`, say `--default-image`, or set `KUBERNETES_IMAGE` in the runner's ConfigMap";

/// The name of a job's image: its own or the default one; expanded later.
pub(super) fn requested<'i>(image: Option<&'i Image>, settings: &'i Settings) -> Option<&'i str> {
    image.map(|image| image.name.value.as_str()).or(settings.image.as_deref())
}

/// Makes the images of one job.
pub(super) struct Images<'i> {
    pub(super) variables: &'i Variables<'i>,
    pub(super) settings: &'i Settings,
    pub(super) mapping: &'i IndexMap<String, String>,
}

impl Images<'_> {
    /// The image of the build container.
    pub(super) fn of_build(&self, image: Option<&Image>) -> Result<BuildImage, Failure> {
        let name = requested(image, self.settings).unwrap_or_default();
        let found = self.named(name, image, "the job", "build")?;
        // its own default image a runner always allows
        if image.is_some() && self.settings.image.as_ref() != Some(&found.requested) {
            self.allowed(&found.requested, &self.settings.allowed_images, "KUBERNETES_ALLOWED_IMAGES")?;
        }
        Ok(found)
    }

    /// The image of a service.
    pub(super) fn of_service(&self, image: &Image) -> Result<BuildImage, Failure> {
        let name = &image.name.value;
        let found = self.named(name, Some(image), &format!("service `{name}`"), name)?;
        self.allowed(&found.requested, &self.settings.allowed_services, "KUBERNETES_ALLOWED_SERVICES")?;
        Ok(found)
    }

    fn named(
        &self,
        name: &str,
        image: Option<&Image>,
        whose: &str,
        container: &str,
    ) -> Result<BuildImage, Failure> {
        let requested = self.variables.expand(name);
        if requested.trim().is_empty() {
            return Err(refused(no_image(name, whose), NO_IMAGE));
        }
        let user = image.and_then(|image| image.kubernetes_user.as_ref());
        Ok(BuildImage {
            name: mapped(&requested, self.mapping),
            pull_policy: self.pull_policy(image, container)?,
            user: user.map(|user| self.user(&user.value, whose)).transpose()?.flatten(),
            requested,
        })
    }

    /// The policies to try: those of the file, or of the runner, as far as the runner allows them.
    fn pull_policy(&self, image: Option<&Image>, container: &str) -> Result<Vec<PullPolicy>, Failure> {
        let wanted = image.map(|image| image.pull_policy.as_slice()).unwrap_or_default();
        let configured = &self.settings.pull_policy;
        let allowed = match self.settings.allowed_pull_policies.as_slice() {
            [] => configured,
            allowed => allowed,
        };
        let (tried, origin) = match wanted {
            [] => (configured.as_slice(), "Runner config"),
            wanted => (wanted, "GitLab pipeline config"),
        };
        if allowed.is_empty() || tried.is_empty() {
            return Ok(tried.to_vec());
        }
        let both: Vec<_> = tried.iter().copied().filter(|policy| allowed.contains(policy)).collect();
        if both.is_empty() {
            return Err(refused(
                format!(
                    "invalid pull policy for container {container:?}: pull_policy ({}) defined in {origin} is not \
                     one of the allowed_pull_policies ({})",
                    go_list(tried),
                    go_list(allowed)
                ),
                "ask for one of these, or set `KUBERNETES_ALLOWED_PULL_POLICIES` of the runner",
            ));
        }
        Ok(both)
    }

    /// Whether the settings have a glob for an image, or none at all.
    fn allowed(&self, image: &str, allowed: &[String], setting: &str) -> Result<(), Failure> {
        if allowed.is_empty()
            || allowed.iter().any(|pattern| crate::config::glob::Glob::doublestar(pattern).matches(image))
        {
            return Ok(());
        }
        Err(Failure {
            reason: FailureReason::RunnerConfigurationError,
            message: format!("disallowed image: {image:?} is not one of `{}`", allowed.join("`, `")),
            help: Some(format!("use one of these, or widen `{setting}` of the runner")),
        })
    }

    /// `uid` or `uid:gid`.
    fn user(&self, user: &str, whose: &str) -> Result<Option<(i64, Option<i64>)>, Failure> {
        let user = self.variables.expand(user);
        if user.is_empty() {
            return Ok(None);
        }
        let number = |text: &str| text.parse::<i64>().ok().filter(|id| *id >= 0);
        let parsed = match user.split_once(':') {
            Some((user, group)) => number(user).zip(number(group)).map(|(user, group)| (user, Some(group))),
            None => number(&user).map(|user| (user, None)),
        };
        let message = || format!("`kubernetes:user` of {whose} is `{user}`, which is no number");
        parsed
            .map(Some)
            .ok_or_else(|| refused(message(), "write `uid` or `uid:gid`: Kubernetes takes no names"))
    }
}

/// Policies as Go prints such a list: `[Always IfNotPresent]`.
fn go_list(policies: &[PullPolicy]) -> String {
    let names: Vec<_> = policies.iter().copied().map(policy_name).collect();
    format!("[{}]", names.join(" "))
}

fn no_image(name: &str, whose: &str) -> String {
    match name {
        "" => format!("{whose} has no image, and the runner has no default one"),
        name => format!("the image of {whose}, `{name}`, is empty once its variables are expanded"),
    }
}

/// The image that `[images]` of `podline.toml` names instead: under the exact name, or the first glob that
/// matches.
pub fn mapped(image: &str, mapping: &IndexMap<String, String>) -> String {
    if let Some(exact) = mapping.get(image) {
        return exact.clone();
    }
    let matches = |glob: &str| Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(image));
    let found = mapping.iter().find(|(glob, _)| matches(glob));
    found.map_or_else(|| image.to_owned(), |(_, instead)| instead.clone())
}

fn refused(message: String, help: &str) -> Failure {
    Failure { reason: FailureReason::RunnerConfigurationError, message, help: Some(help.to_owned()) }
}

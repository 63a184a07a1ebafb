//! The names that GitLab Runner reads its settings from (`gitlab-runner register --help`).

/// Names that podline acts on, besides those of resources.
pub(super) const OBEYED: [&str; 39] = [
    "KUBERNETES_ALLOWED_IMAGES",
    "KUBERNETES_ALLOWED_PULL_POLICIES",
    "KUBERNETES_ALLOWED_SERVICES",
    "KUBERNETES_ALLOW_PRIVILEGE_ESCALATION",
    "KUBERNETES_CAP_ADD",
    "KUBERNETES_CAP_DROP",
    "KUBERNETES_HELPER_IMAGE",
    "KUBERNETES_IMAGE",
    "KUBERNETES_IMAGE_PULL_SECRETS",
    "KUBERNETES_NAMESPACE",
    "KUBERNETES_NAMESPACE_OVERWRITE_ALLOWED",
    "KUBERNETES_NODE_SELECTOR",
    "KUBERNETES_NODE_SELECTOR_OVERWRITE_ALLOWED",
    "KUBERNETES_NODE_TOLERATIONS",
    "KUBERNETES_NODE_TOLERATIONS_OVERWRITE_ALLOWED",
    "KUBERNETES_POD_ANNOTATIONS_OVERWRITE_ALLOWED",
    "KUBERNETES_POD_LABELS_OVERWRITE_ALLOWED",
    "KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS",
    "KUBERNETES_POLL_INTERVAL",
    "KUBERNETES_POLL_TIMEOUT",
    "KUBERNETES_PRIVILEGED",
    "KUBERNETES_PULL_POLICY",
    "KUBERNETES_SERVICE_ACCOUNT",
    "KUBERNETES_SERVICE_ACCOUNT_OVERWRITE_ALLOWED",
    "KUBERNETES_TERMINATIONGRACEPERIODSECONDS",
    "METRICS_SERVER",
    "REGISTER_RUN_UNTAGGED",
    "REGISTRATION_TOKEN",
    "RUNNER_ENV",
    "RUNNER_EXECUTOR",
    "RUNNER_LIMIT",
    "RUNNER_NAME",
    "RUNNER_OUTPUT_LIMIT",
    "RUNNER_POST_BUILD_SCRIPT",
    "RUNNER_POST_GET_SOURCES_SCRIPT",
    "RUNNER_PRE_BUILD_SCRIPT",
    "RUNNER_PRE_GET_SOURCES_SCRIPT",
    "RUNNER_REQUEST_CONCURRENCY",
    "RUNNER_TAG_LIST",
];

/// Names without a meaning where podline is the runner: how a runner reaches its cluster, what it retries,
/// what it would let jobs overwrite of things they do not overwrite here.
const MEANINGLESS: [&str; 21] = [
    "KUBERNETES_BEARER_TOKEN",
    "KUBERNETES_BEARER_TOKEN_OVERWRITE_ALLOWED",
    "KUBERNETES_CA_FILE",
    "KUBERNETES_CERT_FILE",
    "KUBERNETES_CLEANUP_GRACE_PERIOD_SECONDS",
    "KUBERNETES_CLEANUP_RESOURCES_TIMEOUT",
    "KUBERNETES_HELPER_IMAGE_AUTOSET_ARCH_AND_OS",
    "KUBERNETES_HELPER_IMAGE_FLAVOR",
    "KUBERNETES_HOST",
    "KUBERNETES_KEY_FILE",
    "KUBERNETES_LOGS_BASE_DIR",
    "KUBERNETES_PRINT_POD_WARNING_EVENTS",
    "KUBERNETES_REQUEST_RETRY_BACKOFF_MAX",
    "KUBERNETES_REQUEST_RETRY_LIMIT",
    "KUBERNETES_RESOURCE_AVAILABILITY_CHECK_MAX_ATTEMPTS",
    "KUBERNETES_RETRY_LIMITS",
    "KUBERNETES_SCRIPTS_BASE_DIR",
    "RUNNER_STRICT_CHECK_INTERVAL",
    "RUNNER_UNHEALTHY_REQUESTS_LIMIT",
    "RUNNER_DEBUG_TRACE_DISABLED",
    "RUNNER_SAFE_DIRECTORY_CHECKOUT",
];

/// Names that change what a job sees on a real runner and that podline does not act on.
const NOT_SIMULATED: [&str; 22] = [
    "KUBERNETES_ALLOWED_GROUPS",
    "KUBERNETES_ALLOWED_USERS",
    "KUBERNETES_AUTOMOUNT_SERVICE_ACCOUNT_TOKEN",
    "KUBERNETES_DNS_POLICY",
    "KUBERNETES_NAMESPACE_PER_JOB",
    "KUBERNETES_POD_DISRUPTION_BUDGET",
    "KUBERNETES_PRIORITY_CLASS_NAME",
    "KUBERNETES_RUNTIME_CLASS_NAME",
    "KUBERNETES_SCHEDULER_NAME",
    "KUBERNETES_SUSPEND_PVC_SIZE",
    "KUBERNETES_SUSPEND_PVC_STORAGE_CLASS",
    "KUBERNETES_USE_SERVICE_ACCOUNT_IMAGE_PULL_SECRETS",
    "RUNNER_BUILDS_DIR",
    "RUNNER_CACHE_DIR",
    "RUNNER_CLEAN_GIT_CONFIG",
    "RUNNER_GET_SOURCES_TIMEOUT",
    "RUNNER_PREPARE_TIMEOUT",
    "RUNNER_PROXY_EXEC",
    "RUNNER_SHELL",
    "RUNNER_SLOT_CGROUP_TEMPLATE",
    "RUNNER_USE_SLOT_CGROUPS",
    "RUNNER_job_status_final_update_retry_limit",
];

/// What is known of a name that podline does not act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing is lost.
    Meaningless,
    /// A job on a real runner would see it.
    NotSimulated,
}

/// What is known of a name that podline does not act on; `None` where GitLab Runner does not know it.
pub(super) fn known(name: &str) -> Option<Known> {
    // Kubernetes itself puts these into every pod.
    let of_kubernetes = name.starts_with("KUBERNETES_PORT") || name.starts_with("KUBERNETES_SERVICE_PORT");
    if of_kubernetes || name == "KUBERNETES_SERVICE_HOST" || MEANINGLESS.contains(&name) {
        return Some(Known::Meaningless);
    }
    let of_pod = name.starts_with("KUBERNETES_POD_CPU_") || name.starts_with("KUBERNETES_POD_MEMORY_");
    let not_simulated = NOT_SIMULATED.contains(&name) || of_pod || is_security_context(name);
    not_simulated.then_some(Known::NotSimulated)
}

/// Every name that may be meant by a mistyped one.
pub(super) fn candidates() -> impl Iterator<Item = &'static str> {
    OBEYED.into_iter().chain(MEANINGLESS).chain(NOT_SIMULATED)
}

/// `KUBERNETES_BUILD_CONTAINER_SECURITY_CONTEXT_RUN_AS_USER` and its kin.
fn is_security_context(name: &str) -> bool {
    const OWNERS: [&str; 5] =
        ["BUILD_CONTAINER", "HELPER_CONTAINER", "SERVICE_CONTAINER", "INIT_PERMISSIONS_CONTAINER", "POD"];
    let field = OWNERS.iter().find_map(|owner| {
        name.strip_prefix("KUBERNETES_")?.strip_prefix(owner)?.strip_prefix("_SECURITY_CONTEXT_")
    });
    field.is_some_and(|field| {
        let starts =
            ["ALLOW_PRIVILEGE", "APP_ARMOR", "CAPABILITIES_", "SECCOMP_", "RUN_AS_", "PROC_", "READ_"];
        matches!(field, "PRIVILEGED" | "FS_GROUP") || starts.iter().any(|start| field.starts_with(start))
    })
}

//! One row, one mistake: what it is called and where it is shown.

use insta::assert_snapshot;

use super::mistakes;

#[test]
fn of_the_top_level() {
    assert_snapshot!(mistakes("
stages: build
variabels: {A: b}
default: {scripts: [x], image: ruby}
image: alpine
workflow: {rules: [{when: manual}, {}], name: [x]}
variables:
  A: {value: x, options: [y]}
  B: [1]
  C: {desc: x}
job: {script: x}
"), @r"
    2:9 [wrong-type] `stages` should be an array of strings, not a string
    3:1 [unknown-keyword] unknown keyword `variabels` at the top level, and no job: it has no `script` (did you mean `variables`?)
    4:11 [unknown-keyword] unknown keyword `scripts` of `default`
    5:8 [conflicting-keywords] `image` is defined at the top level and in `default` (keep the one in `default`)
    6:27 [unknown-value] `workflow:rules:when` should be one of `always`, `never`, not `manual`
    6:36 [empty-value] `workflow:rules` should not hold an empty rule
    6:47 [wrong-type] `workflow:name` should be a string, not an array
    8:26 [value-not-in-options] `variables:A:options` should hold the variable's `value` (GitLab offers the options when a pipeline is started by hand, `value` first)
    9:6 [wrong-type] `variables:B` should be a string or a hash, not an array
    10:7 [unknown-keyword] unknown keyword `desc` in `variables:C`
    ");
}

#[test]
fn of_a_configuration_without_jobs() {
    assert_snapshot!(mistakes("stages: [a]\n.hidden: {script: x}"), @r"
    1:1 [no-jobs] the configuration should contain at least one visible job
    ");
}

#[test]
fn of_jobs() {
    assert_snapshot!(mistakes("
empty:
text: hello
typo: {scirpt: x}
blank: {script: []}
both: {script: x, trigger: g/p}
nested: {script: [[[[[[[[[[[x]]]]]]]]]]]}
quote:
  script:
    - echo 'a': b
    - 1
    - echo \"done: yes\"
stage: {script: x, stage: tset}
never: {script: x, when: never}
delayed: {script: x, when: delayed}
start: {script: x, start_in: 5 minutes}
ages: {script: x, when: delayed, start_in: 2 weeks}
time: {script: x, timeout: 3 moons}
seconds: {script: x, timeout: 3600}
nil: {script: x}
"), @r#"
    2:1 [no-script] job `empty` has no `script`, `run` or `trigger` (give it a `script`, or hide it with a leading dot if it is only extended)
    3:1 [no-script] job `text` has no `script`, `run` or `trigger` (give it a `script`, or hide it with a leading dot if it is only extended)
    4:1 [no-script] job `typo` has no `script`, `run` or `trigger` (give it a `script`, or hide it with a leading dot if it is only extended)
    4:8 [unknown-keyword] unknown keyword `scirpt` of job `typo` (did you mean `script`?)
    5:17 [empty-value] `script` of job `blank` can't be blank
    6:8 [conflicting-keywords] `script` and `trigger` of job `both` cannot be used together
    7:18 [nested-too-deep] `script` of job `nested` is nested too deep: at most 10 levels of arrays
    10:7 [wrong-type] `script` of job `quote` should hold strings only, but this command is a hash (a `: ` makes it a hash: put the whole command in quotes)
    11:7 [wrong-type] `script` of job `quote` should be a string, not an integer (quote it: "1")
    12:7 [wrong-type] `script` of job `quote` should hold strings only, but this command is a hash (a `: ` makes it a hash: put the whole command in quotes)
    13:27 [unknown-stage] stage `tset` of job `stage` does not exist (did you mean `test`? available stages are .pre, build, test, deploy, .post)
    14:26 [unknown-value] `when` of job `never` can be `never` only in `rules` (to leave the job out, use `rules: [{when: never}]`, or hide it with a leading dot)
    15:1 [missing-keyword] `start_in` of job `delayed` is missing
    16:30 [start-in-without-delay] `start_in` of job `start` needs `when: delayed` beside it
    17:44 [duration-too-long] `start_in` of job `ages` should not exceed 7 days
    18:28 [bad-duration] `timeout` of job `time` should be a duration: `moons` is no unit of time (durations look like `90`, `3 minutes`, `1h 30m`, `2 days`)
    19:31 [wrong-type] `timeout` of job `seconds` should be a string, not an integer (quote it: "3600")
    20:1 [reserved-name] `nil` cannot be the name of a job
    "#);
}

#[test]
fn of_rules() {
    assert_snapshot!(mistakes("
workflow: {rules: [{when: always}]}
blank: {script: x, rules: []}
both: {script: x, rules: [{when: always}], only: [main]}
rule:
  script: x
  rules:
    - if: $A == ${B}
    - if: '$A =~ /[/'
    - if: >
        $A &&
    - if:
      when: sometimes
    - start_in: 5 minutes
    - when: delayed
    - changes: {path: [a]}
    - exists: 1
    - exists: {paths: [a], ref: main}
    - exists: a
    - unless: $A
    - [{if: $A, interruptible: 1}]
only: {script: x, only: main}
except: {script: x, except: {ref: [main]}}
regex: {script: x, only: [/ma(in/]}
"), @r"
    3:27 [empty-value] `rules` of job `blank` can't be blank (leave the keyword out instead)
    4:44 [conflicting-keywords] `only` of job `both` may not be used with `rules`
    8:17 [bad-expression] `rules:if` of job `rule` has invalid expression syntax: `${...}` is not known in expressions (write `$B`)
    9:18 [bad-expression] `rules:if` of job `rule` has invalid expression syntax: the regular expression does not end, or holds fewer than two characters (write it as `/pattern/` with at least two characters, a slash inside as `\/`)
    10:11 [bad-expression] `rules:if` of job `rule` has invalid expression syntax: a value is missing at the end
    12:7 [empty-value] `rules` of job `rule` has an empty `if`, which would always match (write the condition, or leave `if` out)
    13:13 [unknown-value] `rules:when` of job `rule` should be one of `on_success`, `on_failure`, `always`, `never`, `manual`, `delayed`, not `sometimes`
    14:17 [start-in-without-delay] `rules:start_in` of job `rule` needs `when: delayed` beside it
    15:7 [missing-keyword] `rules:start_in` of job `rule` is missing
    16:16 [missing-keyword] `rules:changes:paths` of job `rule` is missing
    16:17 [unknown-keyword] unknown keyword `path` in `rules:changes` of job `rule` (did you mean `paths`?)
    17:15 [wrong-type] `rules:exists` of job `rule` should be an array of strings or a hash, not an integer
    18:33 [missing-keyword] `rules:exists:ref` of job `rule` needs `project` beside it
    19:15 [wrong-type] `rules:exists` of job `rule` should be an array of strings or a hash, not a string
    20:7 [unknown-keyword] unknown keyword `unless` in `rules` of job `rule`
    21:32 [wrong-type] `rules:interruptible` of job `rule` should be a boolean, not an integer
    22:25 [wrong-type] `only` of job `only` should be an array of refs or a hash, not a string
    23:30 [unknown-keyword] unknown keyword `ref` in `except` of job `except` (did you mean `refs`?)
    24:27 [bad-regex] `only` of job `regex` must be a regular expression of RE2: unclosed group
    ");
}

#[test]
fn of_a_last_rule_that_always_matches() {
    assert_snapshot!(mistakes("a: &a {script: x, rules: [{if: $A}, {when: always}]}\nb: *a\nc: *a\nd: *a"), @r"
    1:37 warning: [two-pipelines] a push to a branch with a merge request may start two pipelines with `a`, `b` and 2 more: the last rule always matches and there is no `workflow:rules` (choose with `workflow:rules` between pipelines of branches and of merge requests)
    ");
}

#[test]
fn of_values() {
    assert_snapshot!(mistakes("
a:
  script: x
  image: {nam: alpine}
  services: redis
  variables: {A: {value: x, description: y}, B: [1]}
  parallel: 201
  retry: {max: 3, when: script_failed, exit_codes: x}
  interruptible: 'yes'
  tags: x
  allow_failure: {exit_code: 1}
  artifacts: {paths: x, when: never, reports: {junits: x, coverage_report: x}, access: all, public: true, expire_in: 30}
  cache: {key: a/b, policy: none, untracked: 'true'}
  environment: {name: 'pröd', action: begin, tier: x}
  coverage: 50%
  id_tokens: {T: {sub: x}}
  secrets: {S: {file: true}}
  inherit: {default: [images], variable: true}
  release: {tag_name: x}
"), @r#"
    4:10 [missing-keyword] `image:name` of job `a` is missing
    4:11 [unknown-keyword] unknown keyword `nam` in `image` of job `a` (did you mean `name`?)
    5:13 [wrong-type] `services` of job `a` should be an array, not a string
    6:29 [unknown-keyword] unknown keyword `description` in `variables:A` of job `a`
    6:49 [wrong-type] `variables:B` of job `a` should be a string or a hash, not an array
    7:13 [out-of-range] `parallel` of job `a` should be from 1 to 200, not 201
    8:16 [out-of-range] `retry:max` of job `a` should be from 0 to 2, not 3
    8:25 [unknown-value] `retry:when` of job `a` should be a value that it knows, not `script_failed` (did you mean `script_failure`?)
    8:52 [wrong-type] `retry:exit_codes` of job `a` should be an integer, not a string
    9:18 [wrong-type] `interruptible` of job `a` should be a boolean, not a string
    10:9 [wrong-type] `tags` of job `a` should be an array of strings, not a string
    11:18 [missing-keyword] `allow_failure:exit_codes` of job `a` is missing
    11:19 [unknown-keyword] unknown keyword `exit_code` in `allow_failure` of job `a` (did you mean `exit_codes`?)
    12:22 [wrong-type] `artifacts:paths` of job `a` should be an array of strings, not a string
    12:31 [unknown-value] `artifacts:when` of job `a` should be one of `on_success`, `on_failure`, `always`, not `never`
    12:48 [unknown-keyword] unknown keyword `junits` in `artifacts:reports` of job `a` (did you mean `junit`?)
    12:76 [wrong-type] `artifacts:reports:coverage_report` of job `a` should be a hash with `coverage_format` and `path`, not a string
    12:93 [conflicting-keywords] `artifacts` of job `a` cannot have `access` and `public` together
    12:118 [wrong-type] `artifacts:expire_in` of job `a` should be a string, not an integer (quote it: "30")
    13:16 [bad-key] `cache:key` of job `a` cannot contain the `/` character
    13:29 [unknown-value] `cache:policy` of job `a` should be `pull-push`, `pull`, `push` or a variable, not `none`
    13:46 [wrong-type] `cache:untracked` of job `a` should be a boolean, not a string
    14:23 [bad-name] `environment:name` of job `a` can contain only letters, digits, `-`, `_`, `/`, `$`, `{`, `}`, `.` and spaces, and cannot start or end with `/`
    14:39 [unknown-value] `environment:action` of job `a` should be one of `start`, `prepare`, `stop`, `verify`, `access`, not `begin`
    14:46 [unknown-keyword] unknown keyword `tier` in `environment` of job `a`
    15:13 [bad-regex] `coverage` of job `a` must be a regular expression between slashes (it looks like `/Coverage: \d+%/`)
    16:18 [missing-keyword] `id_tokens:T:aud` of job `a` is missing
    16:19 [unknown-keyword] unknown keyword `sub` in `id_tokens:T` of job `a`
    17:16 [missing-keyword] a secret of job `a` names no provider (providers are `vault`, `azure_key_vault`, `gcp_secret_manager`, `aws_secrets_manager`, `gitlab_secrets_manager`, `akeyless`)
    18:12 [unknown-value] `inherit` of job `a` names `images` in `default`, which `default` cannot hold (did you mean `image`?)
    18:32 [unknown-keyword] unknown keyword `variable` in `inherit` of job `a` (did you mean `variables`?)
    19:12 [missing-keyword] `release:description` of job `a` is missing
    "#);
}

#[test]
fn of_triggers() {
    assert_snapshot!(mistakes("
a: {trigger: slug}
b: {trigger: {project: g/p, include: x.yml}}
c: {trigger: {strategy: wait, project: g/p}}
d: {trigger: {include: [{file: x.yml}, {artifact: x.yml}]}, image: alpine, parallel: 2, when: delayed}
"), @r"
    2:14 [bad-project] `trigger` of job `a` should be a project's full path, not `slug` (a full path looks like `group/project`)
    3:15 [conflicting-keywords] `trigger` of job `b` cannot have `project` and `include`
    4:25 [unknown-value] `trigger:strategy` of job `c` should be one of `depend`, `mirror`, not `wait`
    5:25 [missing-keyword] `trigger:include` of job `d` should have one of `local`, `project`, `template`, `component`, `remote`, `artifact`
    5:40 [missing-keyword] `trigger:include:job` of job `d` is missing
    5:61 [conflicting-keywords] `image` and `trigger` of job `d` cannot be used together
    5:86 [wrong-type] `parallel` of job `d` should be a hash with `matrix` in a trigger job, not an integer
    5:95 [unknown-value] `when` of job `d` should be one of `on_success`, `on_failure`, `always`, `manual`, not `delayed`
    ");
}

#[test]
fn of_relations_between_jobs() {
    assert_snapshot!(mistakes("
stages: [one, two]
a: {stage: one, script: x, needs: [late, a, b, b, missing, {job: gone, optional: true}]}
b: {stage: one, script: x, needs: [a]}
late: {stage: two, script: x, dependencies: [lost], environment: {name: e, on_stop: stop}}
stop: {stage: two, script: x, environment: {name: e}}
more: {stage: two, script: x, needs: [a], dependencies: [b]}
many: {stage: one, script: x, parallel: 2}
some: {stage: two, script: x, needs: [many 1/2, many 3/2]}
"), @r"
    3:36 [later-stage] need `late` of job `a` is not in its stage or an earlier one (a job can only wait for jobs of its own stage and of those before)
    3:42 [needs-itself] job `a` needs itself
    3:48 [duplicate-need] job `a` needs `b` twice
    3:51 [unknown-job] job `a` has an undefined need: `missing`
    4:36 [circular-needs] the needs of jobs form a circle: `a` needs `b` needs `a`
    5:46 [unknown-job] job `late` has an undefined dependency: `lost`
    5:85 [bad-on-stop] the `on_stop` job `stop` of job `late` needs `environment:action: stop`
    7:58 [dependency-not-needed] dependency `b` of job `more` should be part of `needs` (with `needs`, artifacts come from needed jobs only: add it there, or drop `dependencies`)
    9:49 [unknown-job] job `some` has an undefined need: `many 3/2`
    ");
}

#[test]
fn of_needs() {
    assert_snapshot!(mistakes("
a: {script: x}
string: {script: x, needs: a}
number: {script: x, needs: [1, {name: a}]}
mirror: {script: x, needs: [{pipeline: g/p}]}
both: {script: x, needs: [{project: g/p, pipeline: x, job: a}]}
count: {script: x, needs: [{job: a, parallel: 2}]}
rule: {script: x, rules: [{if: $A, needs: [a, {project: g/p, job: a, ref: main}]}]}
many: {script: x, parallel: {matrix: [{A: [1, 2, 3, 4, 5, 6, 7, 8], B: [1, 2, 3, 4, 5, 6, 7, 8], C: [1, 2, 3, 4]}]}}
six: {script: x, needs: [{pipeline: $A, job: a}, {pipeline: $B, job: a}, {pipeline: $C, job: a}, {pipeline: $D, job: a}, {pipeline: $E, job: a}, {pipeline: $F, job: a}]}
other: {trigger: {include: c.yml}, needs: [a, {project: g/p, job: a, ref: main}, {pipeline: x, job: a}]}
two: {trigger: g/p, needs: [{pipeline: g/a}, {pipeline: g/b}]}
"), @r"
    3:28 [wrong-type] `needs` of job `string` should be an array or a hash, not a string
    4:29 [wrong-type] `needs` of job `number` should be a job's name or a hash, not an integer
    4:32 [missing-keyword] `needs:job` of job `number` is missing
    4:33 [unknown-keyword] unknown keyword `name` in `needs` of job `number`
    5:29 [wrong-need] `needs:pipeline` of job `mirror` needs `job` beside it (without it, it mirrors a status, which a job with a script cannot do)
    6:27 [missing-keyword] `needs:ref` of job `both` is missing
    6:42 [conflicting-keywords] `needs` of job `both` has `project` and `pipeline`
    7:47 [wrong-type] `needs:parallel` of job `count` should be a hash with `matrix`, not an integer
    8:47 [wrong-need] `rules:needs` of job `rule` can name only jobs of the same pipeline
    9:38 [too-many] `parallel:matrix` of job `many` generates 256 jobs, GitLab takes 200
    10:25 [too-many] `needs` of job `six` has 6 entries with `pipeline`, GitLab takes 5
    11:47 [wrong-need] `needs` of job `other` can name only jobs of the same pipeline, as it starts another
    11:82 [wrong-need] `needs` of job `other` can name only jobs of the same pipeline, as it starts another
    12:46 [wrong-need] `needs` of job `two` can mirror the status of one pipeline only
    ");
}

#[test]
fn of_what_cannot_stand_together() {
    assert_snapshot!(mistakes("
late: {script: x, when: delayed, rules: [{when: always}]}
child: {trigger: {include: {local: a.yml}}}
codes: {trigger: g/p, allow_failure: {exit_codes: 1}}
steps: {run: [{name: a, script: x}], before_script: [x]}
floats: {script: x, parallel: {matrix: [{PYTHON: [3.10, 3.11], OLD: yes}]}}
keep: {script: x, artifacts: {paths: [a], expire_in: $DAYS}}
"), @r#"
    2:19 [conflicting-keywords] `when: delayed` of job `late` may not be used with `rules` (put `when: delayed` and `start_in` into a rule)
    2:42 warning: [two-pipelines] a push to a branch with a merge request may start two pipelines with `late`: the last rule always matches and there is no `workflow:rules` (choose with `workflow:rules` between pipelines of branches and of merge requests)
    3:28 [wrong-type] `trigger:include` of job `child` should be an array or a string, not a hash (put a `- ` before its first line)
    4:38 [wrong-type] `allow_failure` of job `codes` should be a boolean in a trigger job, not a hash
    5:38 [conflicting-keywords] `run` and `before_script` of job `steps` cannot be used together
    6:51 [wrong-type] `parallel:matrix:PYTHON` of job `floats` should be a string or an integer, not a number (quote it: "3.10")
    6:69 [wrong-type] `parallel:matrix:OLD` of job `floats` should be a string or an integer, not a boolean (quote it: "yes")
    7:54 [bad-duration] `artifacts:expire_in` of job `keep` should be a duration: `$days` is no unit of time (durations look like `90`, `3 minutes`, `1h 30m`, `2 days`)
    "#);
}

#[test]
fn of_steps() {
    assert_snapshot!(mistakes("
a: {run: x}
b: {run: [{script: x}, {name: 1x, script: x}, {name: a}, {name: b, script: x, inputs: {}}], script: x}
c: {run: [{name: a, step: 1}, {name: b, step: {git: {url: x}}}, {name: c, script: x, env: [x]}]}
"), @r#"
    2:10 [wrong-type] `run` of job `a` should be an array of hashes, not a string
    3:5 [conflicting-keywords] `run` and `script` of job `b` cannot be used together
    4:27 [wrong-type] `run:step` of job `c` should be a string or a hash, not an integer (quote it: "1")
    4:53 [missing-keyword] `run:step:git:rev` of job `c` is missing
    4:91 [wrong-type] `run:env` of job `c` should be a hash, not an array
    "#);
}

#[test]
fn of_what_only_a_server_acts_on() {
    assert_snapshot!(mistakes("
a:
  script: x
  secrets:
    NONE: {file: true}
    TWO: {vault: x, gitlab_secrets_manager: {name: x}}
    VAULT: {vault: {engine: {name: kv}, path: x, field: y, other: z}}
    GOOGLE: {gcp_secret_manager: {name: x, version: 1.5}}
    AZURE: {azure_key_vault: x}
    AWS: {aws_secrets_manager: {region: x}}
b:
  script: x
  release:
    tag_name: v1
    description: x
    released_at: tomorrow
    assets: {links: [{name: x, kind: y}, {name: x, url: y, link_type: z}]}
c:
  script: x
  id_tokens: {TOKEN: {aud: []}}
  environment:
    name: x
    url: example.com
    kubernetes: {agent: [x], namespace: '', dashboard: {url: x}}
"), @r#"
    5:11 [missing-keyword] a secret of job `a` names no provider (providers are `vault`, `azure_key_vault`, `gcp_secret_manager`, `aws_secrets_manager`, `gitlab_secrets_manager`, `akeyless`)
    6:45 [conflicting-keywords] `secrets:TWO:gitlab_secrets_manager` of job `a` stands beside `vault`: a secret has one provider
    7:29 [missing-keyword] `secrets:VAULT:vault:engine:path` of job `a` is missing
    7:60 [unknown-keyword] unknown keyword `other` in `secrets:VAULT:vault` of job `a`
    8:13 [missing-keyword] `secrets:GOOGLE:token` of job `a` is missing
    8:53 [wrong-type] `secrets:GOOGLE:gcp_secret_manager:version` of job `a` should be a string, not a number (quote it: "1.5")
    9:30 [wrong-type] `secrets:AZURE:azure_key_vault` of job `a` should be a hash, not a string
    10:32 [missing-keyword] `secrets:AWS:aws_secrets_manager:secret_id` of job `a` is missing
    16:18 [bad-date] `release:released_at` of job `b` should be a date and time after ISO 8601 (it looks like `2026-03-15T08:00:00Z`)
    17:22 [missing-keyword] `release:assets:links:url` of job `b` is missing
    17:32 [unknown-keyword] unknown keyword `kind` in `release:assets:links` of job `b`
    17:71 [unknown-value] `release:assets:links:link_type` of job `b` should be one of `runbook`, `package`, `image`, `other`, not `z`
    20:28 [empty-value] `id_tokens:TOKEN:aud` of job `c` can't be blank
    23:10 [bad-url] `environment:url` of job `c` should begin with `http://`, `https://` or a variable
    24:25 [wrong-type] `environment:kubernetes:agent` of job `c` should be a string, not an array
    24:41 [empty-value] `environment:kubernetes:namespace` of job `c` can't be blank
    24:57 [unknown-keyword] unknown keyword `url` in `environment:kubernetes:dashboard` of job `c`
    "#);
}

#[test]
fn of_patterns_and_lists_that_say_nothing() {
    assert_snapshot!(mistakes("
a:
  script: x
  rules:
    - if:
    - changes: {paths: [x], regexp: x}
    - exists: {regexp: '('}
    - exists: x
  tags: ['']
  retry: {exit_codes: []}
  services: [{name: x, entrypoint: [], command: []}]
  image: {name: x, docker: {user: 1000}}
  artifacts: {reports: {performance: x, accessibility: [x], junit: null}}
b:
  trigger: {include: child.json, inputs: x}
"), @r#"
    5:7 [empty-value] `rules` of job `a` has an empty `if`, which would always match (write the condition, or leave `if` out)
    6:29 [conflicting-keywords] `paths` and `regexp` of job `a` cannot be used together
    7:24 [bad-regex] `rules:exists:regexp` of job `a` must be a regular expression of Ruby's: Parsing error at position 1: Opening parenthesis without closing parenthesis
    8:15 [wrong-type] `rules:exists` of job `a` should be an array of strings or a hash, not a string
    9:10 [empty-value] `tags` of job `a` can't be blank
    10:23 [empty-value] `retry:exit_codes` of job `a` should name an exit code
    11:36 [empty-value] `services:entrypoint` of job `a` can't be blank (leave it out to keep what the image says)
    11:49 [empty-value] `services:command` of job `a` can't be blank (leave it out to keep what the image says)
    12:35 [wrong-type] `image:docker:user` of job `a` should be a string, not an integer (quote it: "1000")
    13:38 [old-keyword] `artifacts:reports:performance` of job `a` is the old name of `browser_performance` (write `browser_performance`)
    13:56 [wrong-type] `artifacts:reports:accessibility` of job `a` should be a string, not an array
    13:68 [wrong-type] `artifacts:reports:junit` of job `a` should be a string or an array of strings, not null
    15:22 [bad-file-name] `trigger:include` of job `b` names `child.json`, which is not `.yml` or `.yaml`
    15:42 [wrong-type] `trigger:inputs` of job `b` should be a hash, not a string
    "#);
}

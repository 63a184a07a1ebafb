# The main process of a build container once sources and scripts are in place: runs script and
# after_script, and says how they ended. POSIX sh: it runs in any image.
#
# $1  folder of the scripts: `job` (settings), `script`, `after_script`
# $2  where the container's cgroup is mounted
# $3  file whose text becomes the container's termination message
#
# Names start with `podline_`, because a variable that the image exports would keep the value it gets here.
podline_folder=$1
podline_cgroup=${2:-/sys/fs/cgroup}
podline_message=${3:-/dev/termination-log}
podline_net=/proc/net

podline_nonce=
podline_job_limit=360000
podline_script_limit=
podline_after_limit=300
podline_cancel_limit=20
podline_stop_limit=5
podline_on_timeout=end
podline_health_ports=
podline_health_limit=180
podline_look=

podline_phase=between
podline_child=
podline_timer=
podline_status=success
podline_ended=

umask 0000

# Marks are told from output by a control byte and a nonce. One printf is one write: nothing gets between.
podline_mark() {
	printf '\036podline:%s %s\n' "$podline_nonce" "$1"
}

podline_settings() {
	while IFS='=' read -r podline_key podline_value; do
		case $podline_key in
		nonce) podline_nonce=$podline_value ;;
		job_limit) podline_job_limit=$podline_value ;;
		script_limit) podline_script_limit=$podline_value ;;
		after_script_limit) podline_after_limit=$podline_value ;;
		cancel_limit) podline_cancel_limit=$podline_value ;;
		health_ports) podline_health_ports=$podline_value ;;
		health_limit) podline_health_limit=$podline_value ;;
		stop_limit) podline_stop_limit=$podline_value ;;
		look) podline_look=$podline_value ;;
		esac
	done <"$podline_folder/job"
}

# The same order as GitLab Runner's.
podline_find_shell() {
	for podline_shell in /usr/local/bin/bash /usr/bin/bash /bin/bash \
		/usr/local/bin/sh /usr/bin/sh /bin/sh /busybox/sh; do
		[ -x "$podline_shell" ] && return
	done
	echo "shell not found"
	podline_finish 1 0
}

# A process and all below it, deepest last. Not every image has pkill, and without a terminal dash has
# no job control, so no process groups.
podline_tree() {
	podline_pids=$1
	podline_level=$1
	while [ -n "$podline_level" ]; do
		podline_next=
		for podline_stat in /proc/[0-9]*/stat; do
			{ read -r podline_line <"$podline_stat"; } 2>/dev/null || continue
			# pid (any name) state parent ...
			podline_rest=${podline_line##*) }
			podline_rest=${podline_rest#* }
			case " $podline_level " in
			*" ${podline_rest%% *} "*) podline_next="$podline_next ${podline_line%% *}" ;;
			esac
		done
		podline_level=${podline_next# }
		podline_pids="$podline_pids$podline_next"
	done
	echo "$podline_pids"
}

# Ends a process with all below it: TERM first, KILL for what is left of them a little later. The list is
# taken once: what loses its parent is no longer found below it.
podline_stop() {
	podline_victims=$(podline_tree "$1")
	kill -s TERM $podline_victims 2>/dev/null
	(
		trap - TERM
		sleep "$podline_stop_limit"
		kill -s KILL $podline_victims
	) </dev/null >/dev/null 2>&1 &
	podline_killer=$!
}

podline_start_timer() {
	# Only a sleep that has ended by itself means that the time is up.
	(sleep "$1" && kill -s USR1 "$podline_self") </dev/null >/dev/null 2>&1 &
	podline_timer=$!
}

# A timer that is taken back takes its sleep with it. TERM would get lost in a shell that has just been forked,
# and a shell that is stopped starts no sleep any more.
podline_stop_timer() {
	[ -n "$podline_timer" ] || return
	kill -s STOP "$podline_timer" 2>/dev/null
	kill -s KILL $(podline_tree "$podline_timer") 2>/dev/null
	podline_timer=
}

# What is left of the job's time, in seconds. It runs since the container does: whatever is carried in takes
# some of it. The kernel counts both times in hundredths of a second since the machine's start.
podline_left() {
	podline_now= podline_stat=
	{ read -r podline_now _ </proc/uptime && read -r podline_stat </proc/$$/stat; } 2>/dev/null
	# pid (any name) state parent ...; the 22nd word is when the process began
	set -- ${podline_stat##*) }
	podline_left=$podline_job_limit
	[ -n "${20}" ] && podline_left=$((podline_left - ${podline_now%.*} * 100 - 1${podline_now#*.} + 100 + ${20}))
	podline_left=$(((podline_left + 50) / 100))
	[ "$podline_left" -ge 0 ] || podline_left=0
}

# The pod is being deleted: stop the script. An after_script that runs may go on for a while. A script whose
# time is up is being stopped already, and it is the pod's own deadline that comes now. The node counts that in
# whole seconds from an earlier moment: it may even come first.
podline_on_term() {
	podline_interrupted=yes
	[ "$podline_status" = timeout ] && return
	podline_status=canceled
	podline_left
	[ "$podline_phase" = script ] && [ "$podline_left" -le 1 ] && podline_status=timeout
	case $podline_phase in
	script) podline_stop "$podline_child" ;;
	after_script)
		podline_stop_timer
		podline_start_timer "$podline_cancel_limit"
		;;
	esac
}

podline_on_time_limit() {
	podline_interrupted=yes
	case $podline_phase in
	services) podline_late=yes ;;
	script)
		[ "$podline_status" = canceled ] || podline_status=timeout
		podline_stop "$podline_child"
		;;
	after_script)
		podline_ended=timeout
		podline_stop "$podline_child"
		;;
	esac
}

# Runs a script ($1) in a shell of its own for at most $2 seconds; its exit code is in podline_code.
# Only that shell is waited for, not what it leaves running in the background.
podline_run() {
	# A script that ran out of time has failed.
	CI_JOB_STATUS=${3:-failed} "$podline_shell" "$podline_folder/$1" </dev/null &
	podline_child=$!
	podline_phase=$1
	# A TERM may have come before there was something to stop.
	[ "$1 $podline_status" = "script canceled" ] && podline_stop "$podline_child"
	podline_start_timer "$2"
	podline_interrupted=yes
	# A signal ends wait before the shell has ended.
	while [ -n "$podline_interrupted" ]; do
		podline_interrupted=
		wait "$podline_child"
		podline_code=$?
	done
	podline_phase=between
	podline_stop_timer
}

# Whether something listens on port $1. The containers of a pod share their network, and the kernel answers
# for whoever listens: that is what connecting would tell, without a visitor in the service's log.
podline_listens() {
	podline_hex=$(printf '%04X' "$1")
	for podline_table in "$podline_net/tcp" "$podline_net/tcp6"; do
		while read -r _ podline_local _ podline_state _; do
			[ "${podline_local##*:} $podline_state" = "$podline_hex 0A" ] && return 0
		done 2>/dev/null <"$podline_table"
	done
	return 1
}

# Waits for the ports that services name with HEALTHCHECK_TCP_PORT.
podline_await_services() {
	[ -n "$podline_health_ports" ] || return
	echo "waiting for TCP connection to localhost on [$podline_health_ports]..."
	podline_phase=services
	podline_late=
	podline_start_timer "$podline_health_limit"
	for podline_port in $podline_health_ports; do
		until podline_listens "$podline_port"; do
			[ "$podline_status" = canceled ] && podline_finish 1 0
			if [ -n "$podline_late" ]; then
				podline_mark "unhealthy port=$podline_port"
				exit 1
			fi
			sleep 0.1 2>/dev/null || sleep 1
		done
	done
	podline_phase=between
	podline_stop_timer
}

# Somebody looks into the pod, where $1 was the exit code: waits until they leave.
podline_await_look() {
	podline_mark "look code=$1"
	until [ -e "$podline_folder/leave" ] || [ "$podline_status" = canceled ]; do
		sleep 0.2 2>/dev/null || sleep 1
	done
}

podline_field() {
	while read -r podline_key podline_value; do
		[ "$podline_key" = "$2" ] && echo "$podline_value"
	done 2>/dev/null <"$1"
}

# cgroup v2 has the container's files at the top, v1 below `memory`.
podline_memory() {
	podline_ooms=
	podline_peak=
	if [ -r "$podline_cgroup/memory.events" ]; then
		podline_ooms=$(podline_field "$podline_cgroup/memory.events" oom_kill)
		[ -r "$podline_cgroup/memory.peak" ] && read -r podline_peak <"$podline_cgroup/memory.peak"
	elif [ -r "$podline_cgroup/memory/memory.oom_control" ]; then
		podline_ooms=$(podline_field "$podline_cgroup/memory/memory.oom_control" oom_kill)
		read -r podline_peak <"$podline_cgroup/memory/memory.max_usage_in_bytes"
	fi
}

# $1 exit code of the script, $2 that of after_script
podline_finish() {
	podline_memory
	podline_result="end status=$podline_status code=$1 after=$2 oom=${podline_ooms:-0} peak=${podline_peak:-0}"
	podline_mark "$podline_result"
	{ printf '%s\n' "$podline_result" >"$podline_message"; } 2>/dev/null
	exit "$1"
}

podline_self=$$
trap podline_on_term TERM
trap podline_on_time_limit USR1

podline_settings
podline_find_shell
podline_await_services

if [ "$podline_look" = first ]; then
	podline_await_look 0
	podline_finish 0 0
fi

podline_left
if [ -n "$podline_script_limit" ] && [ "${podline_script_limit%.*}" -lt "$podline_left" ]; then
	podline_on_timeout=after_script
else
	podline_script_limit=$podline_left
fi
podline_mark script
podline_run script "$podline_script_limit" running
podline_script_code=$podline_code
[ "$podline_status" = success ] && [ "$podline_script_code" -ne 0 ] && podline_status=failed

[ "$podline_status$podline_look" = failedfailure ] && podline_await_look "$podline_script_code"

podline_after=0
# GitLab runs no after_script once the job's time is up, but one when only the script's is.
[ "$podline_status" = timeout ] && [ "$podline_on_timeout" = end ] && podline_finish "$podline_script_code" 0
if [ -e "$podline_folder/after_script" ]; then
	podline_mark "after_script code=$podline_script_code"
	[ "$podline_status" = canceled ] && podline_after_limit=$podline_cancel_limit
	podline_run after_script "$podline_after_limit" "${podline_status%timeout}"
	podline_after=${podline_ended:-$podline_code}
fi
podline_finish "$podline_script_code" "$podline_after"

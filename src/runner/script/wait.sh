trap 'exit 143' TERM
# What is waited for mostly comes within some milliseconds: looking often costs little for that long.
podline_looks=0
until [ -e "$1/ready" ]; do
	podline_looks=$((podline_looks + 1))
	podline_pause=0.05
	[ "$podline_looks" -gt 20 ] || podline_pause=0.004
	sleep "$podline_pause" 2>/dev/null || sleep 1
done
# One stream for both: of two, the node's log keeps no order, and what comes after the end mark is lost.
exec sh "$1/supervisor" "$@" 2>&1

trap 'exit 143' TERM
until [ -e "$1/ready" ]; do
	sleep 0.05 2>/dev/null || sleep 1
done
# One stream for both: of two, the node's log keeps no order, and what comes after the end mark is lost.
exec sh "$1/supervisor" "$@" 2>&1

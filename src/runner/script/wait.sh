trap 'exit 143' TERM
until [ -e "$1/ready" ]; do
	sleep 0.05 2>/dev/null || sleep 1
done
exec sh "$1/supervisor" "$@"

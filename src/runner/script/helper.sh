# The main process of a helper container: there for files to be carried in and out, gone at once on TERM.
trap 'kill "$!" 2>/dev/null; exit 0' TERM INT
while :; do
	sleep 3600 &
	wait
done

# What a helper container does first where its job has hooks:pre_get_sources_script.
#
# $1  folder of the scripts: `hook`, whose text is the nonce, says that `pre_get_sources_script` is there
trap 'kill "$!" 2>/dev/null; exit 0' TERM INT
until [ -e "$1/hook" ]; do
	sleep 0.05 2>/dev/null || sleep 1
done
sh "$1/pre_get_sources_script" </dev/null 2>&1 &
wait "$!"
code=$?
printf '\036podline:%s hook code=%s\n' "$(cat "$1/hook")" "$code"

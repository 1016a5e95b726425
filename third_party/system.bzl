"""The distribution's libraries as one repository, its linker flags asked of pkg-config.

Headers are found in /usr/include by the compiler itself, so each target of system.BUILD is only what has to be linked. Abseil is some
hundred small archives whose order matters: pkg-config knows it, and knows it anew when the distribution's Abseil changes.
"""

# What the sources include of Abseil, by the names of its pkg-config modules.
_ABSEIL_MODULES = [
    "absl_btree",
    "absl_flat_hash_map",
    "absl_flat_hash_set",
    "absl_inlined_vector",
    "absl_status",
    "absl_statusor",
    "absl_str_format",
    "absl_strings",
]

def _linker_flags(context, modules):
    result = context.execute(["pkg-config", "--libs"] + modules)
    if result.return_code != 0:
        fail("pkg-config --libs %s failed (tools/setup installs what is missing): %s" % (" ".join(modules), result.stderr))
    return result.stdout.strip().split(" ")

def _system_libraries(context):
    context.template("BUILD.bazel", context.attr.build_file, {
        "%{abseil}": repr(_linker_flags(context, _ABSEIL_MODULES)),
    })

system_libraries = repository_rule(
    implementation = _system_libraries,
    attrs = {"build_file": attr.label(mandatory = True)},
    local = True,
)

"""The repositories that the project's targets and Bazel itself ask for, all on this machine: for its own WORKSPACE file and for one outside.

Bazel would fetch four of them by itself; here they are folders of this repository, or the distribution's.
"""

load(":system.bzl", "system_libraries")

def _folder(context):
    for child in context.path(context.attr.beside).dirname.get_child(context.attr.folder).readdir():
        context.symlink(child, child.basename)

# A folder of this repository as a repository, wherever this repository is.
folder_repository = repository_rule(
    implementation = _folder,
    attrs = {
        "beside": attr.label(default = Label("//third_party:dependencies.bzl")),
        "folder": attr.string(mandatory = True),
    },
    local = True,
)

def bytetorrent_dependencies():
    """Binds them all. In a WORKSPACE file, after the repository itself."""
    folder_repository(name = "rules_cc", folder = "rules_cc")
    folder_repository(name = "remote_coverage_tools", folder = "remote_coverage_tools")
    native.local_repository(name = "rules_java", path = "/usr/share/bazel/rules/java")
    native.local_repository(name = "rules_proto", path = "/usr/share/bazel/rules/proto")
    system_libraries(name = "system", build_file = Label("//third_party:system.BUILD"))

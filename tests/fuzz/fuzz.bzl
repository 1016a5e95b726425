"""Fuzz targets."""

def fuzz_target(name, deps):
    """NAME_fuzz.cc as NAME_corpus_test, which any build runs, and NAME_fuzzer, which --config=fuzz links with libFuzzer."""
    native.cc_library(
        name = name,
        testonly = True,
        srcs = [name + "_fuzz.cc"],
        deps = deps + [
            ":input",
            "//core/base",
        ],
        alwayslink = True,
    )
    native.cc_test(
        name = name + "_corpus_test",
        size = "small",
        srcs = ["corpus_main.cc"],
        args = ["$(rootpath corpus/" + name + ".txt)"],
        data = ["corpus/" + name + ".txt"],
        deps = [
            ":" + name,
            ":input",
            "@system//:absl",
        ],
    )
    native.cc_binary(
        name = name + "_fuzzer",
        testonly = True,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = [":" + name],
    )

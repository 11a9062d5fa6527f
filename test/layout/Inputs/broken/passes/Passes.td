// One pass with a wrong flag.
def FuseExperts : Pass<"moe-fuse-moe", "ModuleOp"> {}

// Builds what is published into dist/: modules for `import` and for `require`, with their types.
import { execFileSync } from "node:child_process";
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = join(dirname(fileURLToPath(import.meta.url)), "..");
const tsc = join(project, "node_modules", ".bin", "tsc");
rmSync(join(project, "dist"), { recursive: true, force: true });
for (const [folder, flags] of [
  ["esm", []],
  ["cjs", ["--module", "commonjs", "--moduleResolution", "bundler", "--verbatimModuleSyntax", "false"]],
]) {
  // Maps would lead to sources that are not published.
  execFileSync(tsc, [...flags, "--sourceMap", "false", "--outDir", join("dist", folder)], {
    cwd: project,
    stdio: "inherit",
  });
}
// The package's own type is "module".
writeFileSync(join(project, "dist", "cjs", "package.json"), '{ "type": "commonjs" }\n');
// Whoever has the package has its licence.
copyFileSync(join(project, "..", "..", "LICENSE"), join(project, "LICENSE"));

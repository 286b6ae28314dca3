// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/cli_manual.hpp"

#include <CLI/CLI.hpp>

#include "cnioctl/manual/completion.hpp"
#include "cnioctl/manual/man_page.hpp"

namespace cnio::cnioctl {
namespace {

std::string completion_for(const std::string& shell, const std::vector<VerbWords>& verbs) {
  if (shell == "bash") return bash_completion(verbs);
  return shell == "zsh" ? zsh_completion(verbs) : fish_completion(verbs);
}

}  // namespace

void add_manual(CLI::App& app, std::function<Outcome()>& verb) {
  CLI::App* completion = app.add_subcommand("completion", "a script that completes what is typed in a shell");
  CLI::Option* shell = completion->add_option("SHELL", "which");
  shell->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->callback([&app, &verb, shell] {
    const auto name = shell->as<std::string>();
    verb = [&app, name] { return Outcome{Exit::kWell, completion_for(name, words_of(app))}; };
  });
  CLI::App* page = app.add_subcommand("man-page", "cnioctl(8)")->group("");
  page->callback([&app, &verb] { verb = [&app] { return Outcome{Exit::kWell, man_page(words_of(app))}; }; });
}

}  // namespace cnio::cnioctl

# Prints what a terminal shows when a tab follows a command line. Usage: complete.zsh PROGRAM LINE
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; autoload -U compinit; compinit -u -D; source <($1 --completion zsh); print rea''dy"
zpty -r shell output '*ready*'
zpty -w -n shell "$2"$'\t\C-a: \C-e\n' # the line becomes an argument of a command that does nothing
zpty -w shell "print do''ne"
zpty -r shell output '*done*'
print -r -- $output

using System.CommandLine;
using Espalier.Cli;

namespace Espalier.Tests.Cli;

[Collection(ConsoleCollection.Name)]
public sealed class UsageTests
{
    [Theory]
    [InlineData("")]
    [InlineData("data")]
    [InlineData("data fetch")]
    [InlineData("tokenizer")]
    public void AGroupByItselfPrintsItsHelp(string path)
    {
        string help = CommandLine.Succeed(path.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("Usage:", help, StringComparison.Ordinal);
        Assert.Contains("Commands:", help, StringComparison.Ordinal);
        Assert.Equal(help, CommandLine.Succeed([.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]));
    }

    /// <summary>The program carries the experiments of its quickstarts, and reads them before anything is fetched.</summary>
    [Theory]
    [InlineData("gpt2")]
    [InlineData("bert")]
    [InlineData("llama")]
    public void AQuickstartIsAnExperimentThatIsThere(string model) =>
        CommandLine.Fail(["quickstart", "--model", model, "nonsense=1"], "nonsense: is not a key");

    [Fact]
    public void EveryVerbExplainsItselfAndAllThatItTakes()
    {
        int verbs = Explain(Commands.Root(), []);
        Assert.True(verbs >= 10);

        static int Explain(Command verb, string[] path)
        {
            string help = CommandLine.Succeed([.. path, "--help"]);
            string oneLine = string.Join(' ', help.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            foreach (Symbol symbol in verb.Children.Append(verb).Where(symbol => symbol is not Command || symbol == verb))
            {
                Assert.False(string.IsNullOrWhiteSpace(symbol.Description), $"{string.Join(' ', path)}: {symbol.Name} has no description");
                Assert.Contains(symbol.Description, oneLine, StringComparison.Ordinal);
            }

            return 1 + verb.Subcommands.Sum(inner => Explain(inner, [.. path, inner.Name]));
        }
    }

    [Fact]
    public void HelpEndsWithExamplesThatTheParserUnderstands()
    {
        int examples = Check(Commands.Root(), []);
        Assert.True(examples >= 8);

        static int Check(Command verb, string[] path)
        {
            IReadOnlyList<string> examples = verb is Verb { Examples: var given } ? given : [];
            foreach (string example in examples)
            {
                Assert.Contains(example, CommandLine.Succeed([.. path, "--help"]), StringComparison.Ordinal);
                string own = example.Split('|').Last(part => part.Contains(verb.Name, StringComparison.Ordinal)).Split('<', '>')[0];
                Assert.Empty(Commands.Root().Parse(own.Replace('\'', '"').Trim()["espalier ".Length..]).Errors);
            }

            return examples.Count + verb.Subcommands.Sum(inner => Check(inner, [.. path, inner.Name]));
        }
    }

    [Fact]
    public void MisspeltNamesAreToldWithTheNearest()
    {
        CommandLine.Fail(["trian", "x", "--run", "y"], "'trian'", "Did you mean train?");
        CommandLine.Fail(["data", "fetch", "sotuu"], "'sotuu'", "Did you mean sotu?");
        CommandLine.Fail(["compare", "--jsn", "x"], "'--jsn'", "Did you mean --json?");
        CommandLine.Fail(["info", "--jason"], "'--jason'", "Did you mean --json?");
        CommandLine.Fail(["frobnicate"], "'frobnicate'", "espalier --help");
    }

    /// <summary>An unset variable of a script leaves them.</summary>
    [Fact]
    public void EmptyValuesAreRefused()
    {
        int options = Check(Commands.Root(), []);
        Assert.True(options >= 20);
        CommandLine.Fail(["eval", "", "--data", "x"], "`CHECKPOINT` is empty");
        CommandLine.Fail(["data", "prepare", "x", "", "--bytes", "--out", "y"], "`INPUT` is empty");

        static int Check(Command verb, string[] path)
        {
            Option[] texts = [.. verb.Options.Where(option => option.ValueType == typeof(string) || option.ValueType == typeof(string[]))];
            foreach (Option option in texts.Where(option => option.HelpName != "TEXT"))
            {
                CommandLine.Fail([.. path, option.Name, ""], $"`{option.Name} ''` is empty");
            }

            return texts.Length + verb.Subcommands.Sum(inner => Check(inner, [.. path, inner.Name]));
        }
    }

    [Fact]
    public void WhatNobodyForesawIsToldWithItsTraceInAFile()
    {
        TextWriter before = Console.Error;
        using var error = new StringWriter { NewLine = "\n" };
        try
        {
            Console.SetError(error);
            Assert.Equal(70, Failures.Guard(["eval", "runs/x"], () => throw new InvalidOperationException("the world is odd")));
        }
        finally
        {
            Console.SetError(before);
        }

        string said = error.ToString();
        Assert.StartsWith("error: `espalier eval runs/x` came to something unforeseen: InvalidOperationException: the world is odd\n", said, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
        string log = said[said.IndexOf(Path.GetTempPath(), StringComparison.Ordinal)..].TrimEnd('.', '\n');
        Assert.Contains($"   at Espalier.Tests.Cli.{nameof(UsageTests)}.", File.ReadAllText(log), StringComparison.Ordinal);
        File.Delete(log);
    }

    [Fact]
    public void MissingAndImpossibleValuesAreTold()
    {
        CommandLine.Fail(["compare"], "RUN", "espalier compare --help");
        CommandLine.Fail(["data", "prepare", "x"], "--out");
        CommandLine.Fail(["tokenizer", "train", "x", "--vocab", "many", "--out", "y"], "'many' for option '--vocab': a whole number is wanted.");
        CommandLine.Fail(["data", "prepare", "x", "--bpe", "few", "--out", "y"], "'few' for option '--bpe': a whole number is wanted.");
        CommandLine.Fail(
            ["data", "prepare", "x", "--bytes", "--holdout-fraction", "some", "--out", "y"],
            "'some' for option '--holdout-fraction': a number is wanted.");
        CommandLine.Fail(["tokenizer", "decode", "--tokenizer", "x", "word"], "can make nothing of 'word'");
    }

    /// <summary>Verbs, options, and the keys of recipes where a recipe is named.</summary>
    [Theory]
    [InlineData("espalier tra", "train")]
    [InlineData("./espalier data pre", "prepare")]
    [InlineData("espalier train recipe.yaml --dry", "--dry-run")]
    [InlineData("espalier train recipe.yaml optimizer.wei", "optimizer.weight_decay=")]
    [InlineData("espalier completion z", "zsh")]
    [InlineData("espalier nonsense x", "")]
    public void LinesAreCompleted(string line, string expected) => Assert.Equal(
        expected, CommandLine.Succeed(["completion", "--complete", line, "--position", $"{line.Length}"]).TrimEnd('\n'));

    [Fact]
    public void HelpTellsTheExitCodes() => Assert.Contains("130  a signal to stop", CommandLine.Succeed(["--help"]), StringComparison.Ordinal);
}

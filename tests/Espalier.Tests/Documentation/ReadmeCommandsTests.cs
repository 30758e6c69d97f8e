using System.Text;
using System.Text.RegularExpressions;
using Espalier.Cli;
using Espalier.Tests.Cli;
using Espalier.Tests.Data;

namespace Espalier.Tests.Documentation;

/// <summary>
/// Every command of the README, in its order and as it stands there, in a folder with a generated text. Where it would
/// train for long, `--dry-run` is added, and a model that was trained for two steps stands in for its result.
/// </summary>
[Collection(ConsoleCollection.Name)]
[Trait("Kind", "Slow")]
public sealed partial class ReadmeCommandsTests : IDisposable
{
    private const string Network = "fetches text from the network", Long = "trains for long", Foreign = "needs somebody's model or data";
    private const string Processes = "starts processes, which LaunchProcessTests does";

    /// <summary>What is not run, only parsed, and why.</summary>
    private static readonly Dictionary<string, string> Exempt = new()
    {
        ["quickstart"] = Network,
        ["quickstart --model bert"] = Network,
        ["experiment recipes/experiments/quickstart.yaml --parallel 2"] = Long,
        ["import downloads/bert-base-uncased --out models/bert"] = Foreign,
        ["grow models/gpt2 --operator double-width --to n_embd=1536 --data other.txt --out models/gpt2-wide"] = Foreign,
        ["plan --curve runs/6-layers runs/12-layers --out plans/grow"] = Long,
        ["finetune runs/bert --task recipes/tasks/sst2.yaml --data data/SST-2 --seeds 3 --out tuned/sst2"] = Foreign,
        ["predict tuned/sst2/seed-1 reviews.tsv data.text=sentence"] = Foreign,
        ["launch --ranks 2 -- train recipes/tiny.yaml --run runs/tiny"] = Processes,
    };

    private readonly TemporaryFolder _folder = new();
    private readonly string _before = Environment.CurrentDirectory;

    public ReadmeCommandsTests()
    {
        Environment.CurrentDirectory = _folder.Path;
        Directory.CreateSymbolicLink(_folder.File("recipes"), Path.Combine(RepositoryRoot.Find(), "recipes"));
        for (int file = 0; file < 10; file++)
        {
            _folder.Write($"my-text/{file}.txt", Words(file, 4000));
        }

        _folder.Write("other.txt", Words(100, 400));
        _folder.Write("passages.txt", string.Join('\n', Enumerable.Range(200, 5).Select(seed => Words(seed, 12))));
    }

    public void Dispose()
    {
        Environment.CurrentDirectory = _before;
        _folder.Dispose();
    }

    [Fact]
    public void EveryCommandWorks()
    {
        string[] commands = [.. Command().Matches(File.ReadAllText(Path.Combine(RepositoryRoot.Find(), "README.md"))).Select(match => match.Groups[1].Value)];
        Assert.True(commands.Length > 20, $"{commands.Length} commands");
        var exempt = new HashSet<string>();
        foreach (string command in commands)
        {
            (string[] args, string input) = Parts(command);
            string words = string.Join(' ', args.Select(arg => arg.Contains(' ', StringComparison.Ordinal) ? $"'{arg}'" : arg));
            Assert.True(UsageMistake.In(Commands.Root().Parse(args)) is null, command);
            if (Exempt.ContainsKey(words))
            {
                exempt.Add(words);
                continue;
            }

            bool trains = args[0] == "train";
            CommandLine result = CommandLine.Run(trains ? [.. args, "--dry-run"] : args, input);
            Assert.True(result.ExitCode == 0, $"{command}\n{result.Error}");
            if (trains)
            {
                StandIn(args[1], args[3], args.Single(arg => arg.StartsWith("data.path=", StringComparison.Ordinal)));
            }

            if (command.Contains("runs/mine --prompt", StringComparison.Ordinal))
            {
                StandIn("recipes/gpt2-mini-scratch.yaml", "runs/scratch", "data.path=data/mine");
                StandIn("recipes/gpt2-mini-apollo.yaml", "runs/apollo", "data.path=data/mine");
            }
        }

        Assert.Equal(Exempt.Keys.Order(), exempt.Order());
    }

    [GeneratedRegex(@"^    ((?:echo .*\| )?\./espalier .*)$", RegexOptions.Multiline)]
    private static partial Regex Command();

    /// <summary>A run of the recipe's method and depth, narrow and after two steps.</summary>
    private static void StandIn(string recipe, string run, string data)
    {
        string width = recipe.Contains("bert", StringComparison.Ordinal) ? "hidden_size=32" : "n_embd=32";
        string heads = recipe.Contains("bert", StringComparison.Ordinal) ? "num_attention_heads=2" : "n_head=2";
        CommandLine.Succeed(
        [
            "train", recipe, "--run", run, data, $"model.{width}", $"model.{heads}", "training.length=2 steps",
            "training.micro_batch=1", "training.gradient_accumulation=1",
        ]);
    }

    /// <summary>The arguments of a command, without quotes and comment, and what is piped into it.</summary>
    private static (string[] Args, string Input) Parts(string command)
    {
        var words = new List<string>();
        foreach (Match match in Word().Matches(command))
        {
            if (match.Value.StartsWith('#'))
            {
                break;
            }

            words.Add(match.Value.Replace("'", "", StringComparison.Ordinal));
        }

        int program = words.IndexOf("./espalier");
        return ([.. words.Skip(program + 1)], program > 0 ? words[1] + "\n" : "");
    }

    [GeneratedRegex(@"(?:'[^']*'|[^\s'])+")]
    private static partial Regex Word();

    /// <summary>A text of many different words, for vocabularies of thousands of tokens.</summary>
    private static string Words(int seed, int count)
    {
        const string Consonants = "bcdfghklmnprstvw", Vowels = "aeiou";
        var random = new Random(seed);
        var text = new StringBuilder("The state of");
        for (int word = 0; word < count; word++)
        {
            text.Append(' ');
            for (int syllables = random.Next(1, 5); syllables > 0; syllables--)
            {
                text.Append(Consonants[random.Next(Consonants.Length)]).Append(Vowels[random.Next(Vowels.Length)]);
            }
        }

        return text.Append(".\n").ToString();
    }
}

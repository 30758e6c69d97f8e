using System.Text.Json;
using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Data;
using Espalier.Training;

namespace Espalier.Tests.Cli;

/// <summary>eval and generate on a checkpoint whose full depth is twice its stored layers.</summary>
[Collection(ConsoleCollection.Name)]
public sealed class ModelCommandTests : IDisposable
{
    private static readonly ModelConfig Config =
        Sample.Model(2) with { VocabularySize = ByteLevelBpe.RawBytes.VocabularySize };

    private static readonly ForwardPlan FullDepth = ForwardPlan.Of([0, 0, 1, 1]);

    private readonly TemporaryFolder _folder = new();
    private readonly Model _model = Sample.ModelOf(Config);
    private readonly string _checkpoint, _text;

    public ModelCommandTests()
    {
        _checkpoint = Path.Combine(_folder.Path, "run", "checkpoints", "step-00000007");
        Directory.CreateDirectory(Path.GetDirectoryName(_checkpoint)!);
        var state = new TrainingState(
            _model, OptimizerState.Begin(new AdamW(new AdamWConfig()), _model.Parameters),
            new TrainingPosition { Step = 7 });
        Checkpoint.Write(_checkpoint, state, FullDepth, ByteLevelBpe.RawBytes);
        _folder.Write("run/checkpoints/latest", "step-00000007\n");
        _text = _folder.Write("text.txt", "Der Baum wächst am Spalier.\n");
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("full")]
    [InlineData("stored")]
    public void EvalMeasuresTheDepthThatIsAskedFor(string depth)
    {
        using EvaluationText text = EvaluationText.Open(_text, ByteLevelBpe.RawBytes);
        double expected = new HeldOutLoss(new NextToken(), text.Tokens, 1, null, Compute.Cpu)
            .Measure(_model, depth == "full" ? FullDepth : ForwardPlan.Plain(2)).Loss;
        JsonElement json = JsonDocument.Parse(CommandLine.Succeed(
            ["eval", _checkpoint, "--data", _text, "--depth", depth, "--precision", "f32", "--json"])).RootElement;
        Assert.Equal(expected, Value("loss"), 5);
        Assert.Equal(Math.Exp(expected), Value("perplexity"), 1e-4 * Math.Exp(expected));
        Assert.Equal(29, Value("tokens"));
        Assert.Equal(29, Value("bytes"));
        Assert.Equal(5, Value("words"));
        Assert.Equal(expected, Value("loss_per_byte"), 5);
        Assert.Equal(expected / Math.Log(2), Value("bits_per_byte"), 4);

        double Value(string key) => json.GetProperty(key).GetDouble();
    }

    [Fact]
    public void ARunStandsForItsLatestCheckpoint() => Assert.Equal(
        CommandLine.Succeed(["eval", _checkpoint, "--data", _text]),
        CommandLine.Succeed(["eval", _folder.File("run"), "--data", _text]));

    [Fact]
    public void GenerateGoesOnFromThePrompt()
    {
        string[] command = ["generate", _folder.File("run"), "--prompt", "Bäume", "--tokens", "20"];
        string text = CommandLine.Succeed(command);
        Assert.StartsWith("Bäume", text, StringComparison.Ordinal);
        Assert.Equal(text, CommandLine.Succeed(command));
        Assert.NotEqual(text, CommandLine.Succeed([.. command, "--seed", "43"]));
        Assert.Equal(
            CommandLine.Succeed([.. command, "--temperature", "0"]),
            CommandLine.Succeed([.. command, "--top-k", "1", "--seed", "9"]));
        Assert.Equal("Bäume\n", CommandLine.Succeed([.. command[..^1], "0"]));
    }

    [Fact]
    public void GenerateReadsPromptsAndWritesSeveralTextsOfEach()
    {
        string[] one = ["generate", _checkpoint, "--tokens", "9", "--prompt"];
        string Alone(string prompt, int seed) => CommandLine.Succeed([.. one, prompt, "--seed", $"{seed}"]);
        string[] both = [.. one, "-", "--num", "2", "--seed", "5"];
        string text = CommandLine.Succeed(both, "a b\nBäume\n");
        Assert.Equal(
            $"=== 1 of 4 ===\n{Alone("a b", 5)}=== 2 of 4 ===\n{Alone("a b", 6)}=== 3 of 4 ===\n{Alone("Bäume", 5)}=== 4 of 4 ===\n{Alone("Bäume", 6)}",
            text);

        string[] lines = CommandLine.Succeed([.. both, "--json"], "a b\nBäume\n").TrimEnd('\n').Split('\n');
        Assert.Equal(4, lines.Length);
        JsonElement last = JsonDocument.Parse(lines[3]).RootElement;
        Assert.Equal(("Bäume", 9, 6, "length"), (
            last.GetProperty("prompt").GetString(), last.GetProperty("tokens").GetInt32(), last.GetProperty("seed").GetInt32(),
            last.GetProperty("end").GetString()));
        Assert.Equal(Alone("Bäume", 6), $"Bäume{last.GetProperty("text").GetString()}\n");
        Assert.Equal("", CommandLine.Succeed(both));
        CommandLine.Fail([.. one, "a", "--num", "0"], "--num must be at least 1");
    }

    [Fact]
    public void MistakesAreNamed()
    {
        CommandLine.Fail(["eval", _folder.File("none"), "--data", _text], "none", "Name a run, a checkpoint");
        CommandLine.Fail(["eval", _checkpoint, "--data", _folder.File("none.txt")], "none.txt does not exist");
        CommandLine.Fail(["eval", _checkpoint, "--data", _folder.Write("empty.txt", "")], "empty.txt holds no text");
        CommandLine.Fail(["eval", _checkpoint, "--data", _text, "--stride", "13"], "--stride 13", "12 tokens");
        CommandLine.Fail(["eval", _checkpoint, "--data", _text, "--device", "gpu"], "'gpu' is no device");
        CommandLine.Fail(["generate", _checkpoint, "--temperature", "-1"], "--temperature must be at least 0");
        CommandLine.Fail(["generate", _checkpoint, "--top-k", "0"], "--top-k must be at least 1");
        CommandLine.Fail(["generate", _checkpoint, "--top-p", "0"], "--top-p must be above 0");

        string weights = Path.Combine(_checkpoint, ModelFolder.WeightsFile);
        File.WriteAllBytes(weights, File.ReadAllBytes(weights)[..^100]);
        CommandLine.Fail(["generate", _checkpoint], ModelFolder.WeightsFile);
    }
}

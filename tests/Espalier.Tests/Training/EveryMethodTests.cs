using Espalier.Configuration;
using Espalier.Data;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Tests.Growth;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>Every method, as it is by itself, trains a model of any architecture to its final sizes.</summary>
[Trait("Kind", "Slow")]
public sealed class EveryMethodTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public static IEnumerable<object[]> All =>
        from method in EveryMethod.All
        from type in Sample.ModelTypes
        select new object[] { method.Name, type };

    public void Dispose() => _folder.Dispose();

    /// <summary>Stopped early, before each growth and after it, a run ends in the very bytes of the uninterrupted one.</summary>
    [Theory]
    [MemberData(nameof(All))]
    public void ARunThatIsStoppedAroundItsGrowthsEndsAsOneThatIsNot(string name, string type)
    {
        Dataset? data = type == "bert" ? TinyRun.PrepareWordPieces(_folder) : null;
        Recipe recipe = Of(name, type, (data ?? TinyRun.Data).Folder);
        string whole = _folder.File("whole"), run = _folder.File("stopped");
        Assert.True(TinyRun.Go(whole, recipe, data: data));
        string end = TinyRun.Checkpoint(whole, TinyRun.Steps);
        int[] growths = [.. TinyRun.State(end)["growths"]!.AsArray().Select(growth => (int)growth!["step"]!)];
        Assert.Equal(recipe.Method is StagedGrowthConfig, growths.Length > 0);

        foreach (int stop in growths.SelectMany(step => new[] { step, step + 1 }).Prepend(2).Append(20).Distinct().Order())
        {
            Assert.False(TinyRun.Go(run, recipe, stopAfter: stop, data: data), $"stop after {stop}");
        }

        Assert.True(TinyRun.Go(run, recipe, data: data));
        TinyRun.SameEnd(whole, run);

        using LoadedModel trained = LoadedModel.Load(whole, Espalier.Torch.Device.Cpu);
        Assert.True(trained.Config.IsSameAs(recipe.Model with { VocabularySize = trained.Config.VocabularySize }));
    }

    /// <summary>Re-warm-ups of hundreds of updates are longer than the run.</summary>
    private static MethodConfig Short(MethodConfig method) => method switch
    {
        StagedTrainingConfig staged => staged with { Rewarm = Duration.Steps(3) },
        SparklingConfig sparkling => sparkling with { Rewarm = new RewarmChoice(Duration.Steps(4), 1, 1.3, RewarmScope.New) },
        _ => method,
    };

    /// <summary>A learned map has no way to query heads that share keys and values.</summary>
    private static ModelConfig ModelOf(string type, bool sharesKeys) => type switch
    {
        "bert" => new BertConfig { Layers = 4, HiddenSize = 16, Heads = 2, FfnSize = 64, ContextLength = 16, InitializerRange = 0.3 },
        "llama" => new LlamaConfig
        {
            Layers = 4, HiddenSize = 16, Heads = 4, KeyValueHeads = sharesKeys ? 2 : null, ContextLength = 16, AttentionBias = true, MlpBias = true,
        },
        "qwen3" => new Qwen3Config
        {
            Layers = 4, HiddenSize = 16, Heads = 4, KeyValueHeads = sharesKeys ? 2 : null, HeadDim = 6, ContextLength = 16, TiedHead = true,
        },
        _ => new Gpt2Config { Layers = 4, HiddenSize = 16, Heads = 2, ContextLength = 16 },
    };

    private static Recipe Of(string name, string type, string data) => (TinyRun.Recipe with
    {
        Model = ModelOf(type, sharesKeys: name != "ligo"),
        Data = new DataConfig { Path = data },
        Method = Short(EveryMethod.Of(name)),
    }).Resolve();
}

using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// How the model grows while it trains: a section of the recipe, whose key `name` says which method. Each has its own record,
/// with its own keys, defaults and checks; a new method is a file in Methods/ and a line here.
/// </summary>
[ConfigVariant("name", "scratch", typeof(ScratchConfig))]
[ConfigVariant("name", "apollo", typeof(ApolloConfig))]
[ConfigVariant("name", "progressive", typeof(ProgressiveConfig))]
[ConfigVariant("name", "stack-bert", typeof(StackBertConfig))]
[ConfigVariant("name", "pld", typeof(PldConfig))]
[ConfigVariant("name", "midas", typeof(MidasConfig))]
[ConfigVariant("name", "lidas", typeof(LidasConfig))]
[ConfigVariant("name", "mslt", typeof(MsltConfig))]
[ConfigVariant("name", "late-growth", typeof(LateGrowthConfig))]
[ConfigVariant("name", "g-stack", typeof(GStackConfig))]
[ConfigVariant("name", "solar", typeof(SolarConfig))]
[ConfigVariant("name", "staged-training", typeof(StagedTrainingConfig))]
[ConfigVariant("name", "hyper-cloning", typeof(HyperCloningConfig))]
[ConfigVariant("name", "lemon", typeof(LemonConfig))]
[ConfigVariant("name", "sparkling", typeof(SparklingConfig))]
[ConfigVariant("name", "zero-pad", typeof(ZeroPadConfig))]
[ConfigVariant("name", "llama-pro", typeof(LlamaProConfig))]
[ConfigVariant("name", "compound-grow", typeof(CompoundGrowConfig))]
[ConfigVariant("name", "repeat-layers", typeof(RepeatLayersConfig))]
[ConfigVariant("name", "bert2bert", typeof(Bert2BertConfig))]
[ConfigVariant("name", "ligo", typeof(LigoConfig))]
[ConfigVariant("name", "composable", typeof(ComposableConfig))]
[ConfigVariant("name", "msg", typeof(MsgConfig))]
[ConfigVariant("name", "lag", typeof(LagConfig))]
[ConfigVariant("name", "grow", typeof(GrowConfig))]
[ConfigVariant("name", "raptr", typeof(RaptrConfig))]
[ConfigVariant("name", "random-ltd", typeof(RandomLtdConfig))]
public abstract record MethodConfig
{
    /// <summary>`name`: the method; it says which other keys there are.</summary>
    public abstract string Name { get; }

    /// <summary>Makes a method of one's own known by its name, so that recipes may say it; for as long as the process runs.</summary>
    /// <typeparam name="TConfig">Its record: public properties are keys of the section, with their defaults.</typeparam>
    /// <param name="name">What <see cref="Name"/> of the record says.</param>
    /// <exception cref="ArgumentException">Another method has that name.</exception>
    public static void Register<TConfig>(string name)
        where TConfig : MethodConfig, new() => ConfigVariants.Register(typeof(MethodConfig), name, typeof(TConfig));

    /// <summary>The same with every empty key filled in.</summary>
    /// <param name="final">The final model; its layers are at least 1.</param>
    public virtual MethodConfig Resolve(ModelConfig final) => this;

    /// <summary>Whether growth waits for the training loss.</summary>
    internal virtual bool WaitsForLoss => false;

    /// <summary>The same method where growth that waits for the loss comes at once, so that no run of it costs more.</summary>
    internal virtual MethodConfig AtItsDearest => this;

    /// <summary>What no key can tell by itself.</summary>
    /// <param name="recipe">What the rest of the recipe says.</param>
    internal virtual IEnumerable<ConfigProblem> Check(MethodSurroundings recipe) => [];

    /// <summary>The method, for a run.</summary>
    /// <param name="run">The run.</param>
    public abstract IProgressiveMethod Create(RunShape run);
}

/// <summary>What a method's checks may look at.</summary>
/// <param name="Model">The final model. Its layers and width are in their limits; heads may not divide the width.</param>
/// <param name="LayersKey">What the model calls its layers.</param>
/// <param name="Run">The run; null where the recipe does not tell its length.</param>
/// <param name="IsClean">Whether nothing is wrong so far with a key of the method.</param>
internal sealed record MethodSurroundings(ModelConfig Model, string LayersKey, RunShape? Run, Func<string, bool> IsClean)
{
    /// <summary>The layers of the final model.</summary>
    public int Layers => Model.Layers;
}

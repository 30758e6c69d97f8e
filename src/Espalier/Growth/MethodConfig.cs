using Espalier.Configuration;

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
[ConfigVariant("name", "raptr", typeof(RaptrConfig))]
[ConfigVariant("name", "random-ltd", typeof(RandomLtdConfig))]
public abstract record MethodConfig
{
    /// <summary>`name`: the method; it says which other keys there are.</summary>
    public abstract string Name { get; }

    /// <summary>The same with every empty key filled in.</summary>
    /// <param name="layers">The layers of the final model; at least 1.</param>
    public virtual MethodConfig Resolve(int layers) => this;

    /// <summary>What no key can tell by itself.</summary>
    /// <param name="recipe">What the rest of the recipe says.</param>
    internal virtual IEnumerable<ConfigProblem> Check(MethodSurroundings recipe) => [];

    /// <summary>The method, for a run.</summary>
    /// <param name="run">The run.</param>
    public abstract IProgressiveMethod Create(RunShape run);
}

/// <summary>What a method's checks may look at.</summary>
/// <param name="Layers">The layers of the final model.</param>
/// <param name="LayersKey">What the model calls them.</param>
/// <param name="Run">The run; null where the recipe does not tell its length.</param>
/// <param name="IsClean">Whether nothing is wrong so far with a key of the method.</param>
internal sealed record MethodSurroundings(int Layers, string LayersKey, RunShape? Run, Func<string, bool> IsClean);

using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>All growth operators by name; a new one is a file in Operators/ and a line here.</summary>
public static class GrowthOperators
{
    private const string Seed = GrowthSettings.SeedOption, Noise = GrowthSettings.NoiseOption;

    private static readonly Lock Registering = new();

    /// <summary>The operators, those that grow depth first, and after them those of one's own.</summary>
    public static IReadOnlyList<OperatorEntry> All { get; private set; } =
    [
        new("interpolate", GrownSizes.Depth, "Apollo, arXiv 2401.09192", (_, to) => new CopyLayers(to.Layers, LayerMapKind.Interpolate)),
        new("stack", GrownSizes.Depth, "StackBERT, Gong et al., ICML 2019", (_, to) => new CopyLayers(to.Layers, LayerMapKind.Stack)),
        new("midas", GrownSizes.Depth, "MIDAS, arXiv 2409.19044", AtMostTwice(LayerMap.MiddleBlock)),
        new("lidas", GrownSizes.Depth, "LIDAS, arXiv 2512.08819", AtMostTwice(LayerMap.MiddleLayers)),
        new("overlap", GrownSizes.Depth, "SOLAR, arXiv 2312.15166", AtMostTwice(LayerMap.Overlap)),
        new("identity-layers", GrownSizes.Depth, "Staged Training, arXiv 2203.06211", (_, to) => new IdentityLayers(to.Layers)),
        new(
            "identity-layers-on-top", GrownSizes.Depth, "Staged Training, arXiv 2203.06211",
            (_, to) => new IdentityLayers(to.Layers, LayerMapKind.Stack)),
        new("zero-output-layers", GrownSizes.Depth, "LLaMA Pro, arXiv 2401.02415", (_, to) => new ZeroOutputLayers(to.Layers)),
        new("fresh-layers", GrownSizes.Depth, "arXiv 2511.04981", (_, to) => new FreshLayers(to.Layers)) { Takes = [Seed] },
        new(
            "fresh-layers-below", GrownSizes.Depth, "arXiv 2511.04981",
            (_, to) => new FreshLayers(to.Layers, FreshPlace.Bottom)) { Takes = [Seed] },
        new(
            "fresh-layers-between", GrownSizes.Depth, "arXiv 2511.04981",
            (_, to) => new FreshLayers(to.Layers, FreshPlace.Between)) { Takes = [Seed] },
        new(
            "composable", GrownSizes.Depth | GrownSizes.FeedForward, "arXiv 2308.06103",
            (_, to) => new Composable { Count = to.Layers }.To(to)) { Takes = [Seed] },
        new("double-width", GrownSizes.Width, "Staged Training, arXiv 2203.06211", (_, _) => new DoubleWidth()),
        new(
            "hyper-cloning", GrownSizes.Width, "HyperCloning, arXiv 2409.12903",
            (_, to, with) => new HyperCloning { Noise = with.Noise, Seed = with.Seed ?? 0 }.To(to)) { Takes = [Noise, Seed] },
        new("net2net", GrownSizes.Width, "bert2BERT's FPI, arXiv 2110.07143", (_, to) => new Net2Net().To(to)),
        new(
            "net2net-random", GrownSizes.Width, "Net2Net, arXiv 1511.05641",
            (_, to, with) => new Net2Net { Sources = UnitSources.Random, Seed = with.Seed ?? 0 }.To(to)) { Takes = [Seed] },
        new("aki", GrownSizes.Width, "bert2BERT's AKI, arXiv 2110.07143", (_, to) => new Aki().To(to)),
        new(
            "lemon", GrownSizes.Width, "LEMON, arXiv 2310.07999",
            (_, to, with) => new Lemon { Seed = with.Seed ?? 0 }.To(to)) { Takes = [Seed] },
        new("sparkling", GrownSizes.Width, "SPARKLING, arXiv 2602.02472", (_, to) => new Sparkling().To(to)),
        new("zero-pad-width", GrownSizes.Width, "SZP, arXiv 2605.13405", (_, to) => new ZeroPadWidth().To(to)) { Takes = [Seed] },
        new(
            "center-tiling", GrownSizes.Depth | GrownSizes.Width, "ModernBERT, arXiv 2412.13663",
            (_, to) => new CenterTiling { Count = to.Layers }.To(to)),
        new(
            "ligo", GrownSizes.Depth | GrownSizes.Width, "LiGO, arXiv 2303.00980",
            (_, to, with) => new Ligo { LayerCount = to.Layers, Seed = with.Seed ?? 0 }.To(to)) { Takes = [Seed] },
    ];

    /// <summary>Makes an operator of one's own known by its name, for as long as the process runs.</summary>
    /// <exception cref="ArgumentException">Another operator has the name.</exception>
    public static void Register(OperatorEntry entry)
    {
        lock (Registering)
        {
            All = All.All(other => other.Name != entry.Name)
                ? [.. All, entry] : throw new ArgumentException($"there is an operator '{entry.Name}' already", nameof(entry));
        }
    }

    /// <summary>Copies of layers by a list of one's own: no operator of this list, but one for each list.</summary>
    /// <param name="layers">For each layer of the grown model, the old one that it is, counted from 0.</param>
    public static OperatorEntry Copies(IReadOnlyList<int> layers) =>
        new("copy-layers", GrownSizes.Depth, "a list of one's own", (model, _) =>
        {
            int[] unknown = [.. layers.Where(layer => layer < 0 || layer >= model.Layers).Take(1)];
            return unknown.Length > 0
                ? throw new UserErrorException(
                    $"There is no layer {unknown[0]} among the model's {model.Layers}.", $"They are counted from 0 to {model.Layers - 1}.")
                : layers.Count > model.Layers
                ? new CopyLayers(layers)
                : throw new UserErrorException(
                    $"{layers.Count} layers are no more than the model's {model.Layers}.", "A model grows: list more layers than it has.");
        });

    /// <summary>The operator of a name, or several in turn.</summary>
    /// <param name="name">The name, or several with commas between them.</param>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static OperatorEntry Of(string name)
    {
        OperatorEntry[] entries = [.. name.Split(',', StringSplitOptions.TrimEntries).Select(One)];
        return entries.Length == 1 ? entries[0] : InTurn(entries);
    }

    /// <summary>Several operators as one: each in turn grows what it can of what is still to grow.</summary>
    internal static OperatorEntry InTurn(IReadOnlyList<OperatorEntry> entries) => new(
        string.Join(", ", entries.Select(entry => entry.Name)),
        entries.Aggregate(GrownSizes.None, (grown, entry) => grown | entry.Grows),
        string.Join("; ", entries.Select(entry => entry.Source).Distinct()),
        (model, to, settings) =>
        {
            GrowthOperator? growth = null;
            ModelConfig reached = model;
            foreach (OperatorEntry entry in entries.Where(entry => (entry.Grows & GrowthSize.Difference(reached, to)) != GrownSizes.None))
            {
                GrowthOperator next = entry.Make(reached, to, settings.Of(entry.Takes));
                reached = next.Grow(reached);
                growth = growth is null ? next : new InTurn(growth, next);
            }

            return growth ?? throw new UserErrorException(
                "No operator grows it.", "Name one for all that grows; espalier grow --list shows what each grows.");
        })
    {
        Takes = [.. entries.SelectMany(entry => entry.Takes).Distinct()],
    };

    private static OperatorEntry One(string name)
    {
        string[] names = [.. All.Select(entry => entry.Name)];
        string near = NearestName.Of(name, names);
        return All.FirstOrDefault(entry => entry.Name == name) ?? throw new UserErrorException(
            $"There is no growth operator '{name}'.",
            NearestName.IsClose(name, near) ? $"Did you mean {near}?" : $"There are {string.Join(", ", names)}.");
    }

    private static Func<ModelConfig, ModelConfig, GrowthOperator> AtMostTwice(Func<int, int, int[]> map) => (model, to) =>
        to.Layers <= 2 * model.Layers ? new CopyLayers(map(model.Layers, to.Layers)) : throw new UserErrorException(
            $"{to.Layers} layers are more than twice the model's {model.Layers}.", $"Grow to {2 * model.Layers} at most, and then again.");
}

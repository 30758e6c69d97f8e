using Espalier.Configuration;

namespace Espalier.Growth;

/// <summary>All growth operators by name; a new one is a file in Operators/ and a line here.</summary>
public static class GrowthOperators
{
    /// <summary>The operators, those that grow depth first.</summary>
    public static IReadOnlyList<OperatorEntry> All { get; } =
    [
        new("interpolate", GrownSizes.Depth, "Apollo, arXiv 2401.09192", (_, to) => new CopyLayers(to.Layers, LayerMapKind.Interpolate)),
        new("stack", GrownSizes.Depth, "StackBERT, Gong et al., ICML 2019", (_, to) => new CopyLayers(to.Layers, LayerMapKind.Stack)),
        new("identity-layers", GrownSizes.Depth, "Staged Training, arXiv 2203.06211", (_, to) => new IdentityLayers(to.Layers)),
        new("zero-output-layers", GrownSizes.Depth, "LLaMA Pro, arXiv 2401.02415", (_, to) => new ZeroOutputLayers(to.Layers)),
        new("fresh-layers", GrownSizes.Depth, "arXiv 2511.04981", (_, to) => new FreshLayers(to.Layers)),
        new("double-width", GrownSizes.Width, "Staged Training, arXiv 2203.06211", (_, _) => new DoubleWidth()),
        new("hyper-cloning", GrownSizes.Width, "HyperCloning, arXiv 2409.12903", (_, to) => new HyperCloning().To(to)),
        new("net2net", GrownSizes.Width, "bert2BERT's FPI, arXiv 2110.07143", (_, to) => new Net2Net().To(to)),
        new("lemon", GrownSizes.Width, "LEMON, arXiv 2310.07999", (_, to) => new Lemon().To(to)),
        new("sparkling", GrownSizes.Width, "SPARKLING, arXiv 2602.02472", (_, to) => new Sparkling().To(to)),
        new("zero-pad-width", GrownSizes.Width, "SZP, arXiv 2605.13405", (_, to) => new ZeroPadWidth().To(to)),
    ];

    /// <summary>The operator of a name.</summary>
    /// <param name="name">The name.</param>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static OperatorEntry Of(string name)
    {
        string[] names = [.. All.Select(entry => entry.Name)];
        string near = NearestName.Of(name, names);
        return All.FirstOrDefault(entry => entry.Name == name) ?? throw new UserErrorException(
            $"There is no growth operator '{name}'.",
            NearestName.IsClose(name, near) ? $"Did you mean {near}?" : $"There are {string.Join(", ", names)}.");
    }
}

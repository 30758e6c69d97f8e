using System.CommandLine;
using Espalier.Models;
using Espalier.Training;

namespace Espalier.Cli;

/// <summary>How many layers of a model run.</summary>
internal enum Depth
{
    /// <summary>Every layer that the finished model will have, through the layer map of training.</summary>
    Full,

    /// <summary>Each layer of the checkpoint once.</summary>
    Stored,
}

/// <summary>What runs at either.</summary>
internal static class DepthExtensions
{
    public static ForwardPlan Plan(this LoadedModel loaded, Depth depth) =>
        depth == Depth.Full ? loaded.FullDepth : ForwardPlan.Plain(loaded.Config.Layers);
}

/// <summary><c>--depth</c> of the verbs that run a model.</summary>
internal sealed class DepthOption : Option<Depth>
{
    public DepthOption()
        : base("--depth")
    {
        Description = "full: every layer that the finished model will have, through the layer map of training; " +
            "stored: each layer of the checkpoint once.";
        HelpName = "full|stored";
        DefaultValueFactory = _ => Depth.Full;
    }
}

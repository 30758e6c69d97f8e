using Espalier.Reporting;

namespace Espalier.Experiments;

/// <summary>A figure of a paper, which trains what it needs. One file each, and a line in <see cref="PaperFigures"/>.</summary>
internal interface IPaperFigure
{
    /// <summary>What the command line calls it.</summary>
    string Name { get; }

    /// <summary>What it shows, and in which paper.</summary>
    string Shows { get; }

    /// <summary>Its pictures, each under the end of its file's name.</summary>
    /// <param name="runs">Trains.</param>
    IEnumerable<(string Part, SvgChart Picture)> Draw(FigureRuns runs);
}

#!/bin/bash
set -e
mkdir built
date >built/when
